"""Generate and measure the samples of a row of MM-Diffusion's table. Measured samples are kept in a file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from aligner.conditions.condition import Condition
from aligner.continuation import generate_long
from aligner.demo import family
from aligner.generators.mm_diffusion import MMDiffusion
from aligner.metrics import frechet_distance, kernel_distance

from ..edition import edition
from ..weights import fingerprint, fingerprint_of, load_second_imagebind
from ..world import clip, plain, right_caption, scene
from .coupled import real_latents, real_signals
from .coupled_cells import CoupledCell
from .instruments import Instruments
from .runs import REAL_FROM, resumed
from .table import summary
from .timing import timing_rows, with_pair_leads

#: Of the first clip: these noises are not those that the gates judge.
_SEED = 4_000_000


@dataclass(frozen=True)
class CoupledModels:
    """The generator and the instruments. fingerprint: of all their weights."""

    generator: MMDiffusion
    instruments: Instruments
    fingerprint: str


def coupled_models() -> CoupledModels:
    """The built-in MM-Diffusion and the instruments."""
    return CoupledModels(
        family.load_demo_mm_diffusion(),
        Instruments(family.load_demo_judge(), load_second_imagebind(), family.load_demo_imagebind()),
        f"{fingerprint()} {fingerprint_of({family.MM_DIFFUSION.name: family.MM_DIFFUSION})}",
    )


def coupled_rows(cell: CoupledCell, models: CoupledModels, split: str, samples: int, work: Path) -> list[dict]:
    """Measure a row for the first `samples` clips of a split: what `Instruments.measured` says of each.

    work: folder where measured samples are kept, so that a stopped run can go on. Those of other weights, settings or
    code are discarded. right: the judge names one event for both streams, that of the caption where one steers. heard:
    the judge's features of the sound.
    """
    path = work / split / "coupled" / f"{cell.name}.json"
    made_by = f"{models.fingerprint} {cell.way} edition {edition()}"
    return with_pair_leads(resumed(path, made_by, samples, lambda indices: _batch(cell, models, split, indices)))


def _batch(cell: CoupledCell, models: CoupledModels, split: str, indices: Sequence[int]) -> list[dict]:
    clips = [clip(plain(scene(split, index))) for index in indices]
    task, instruments = cell.made_for, models.instruments
    given = {task.given: real_latents(models.generator, clips)[task.given]} if task.given else {}
    captions = [right_caption(each.scene, index) for each, index in zip(clips, indices)] if task.captioned else []
    denoiser = models.generator.denoiser(sampler=cell.way.sampler)
    began = time.perf_counter()
    made = generate_long(
        denoiser,
        {},
        seed=_SEED + indices[0],
        seconds=denoiser.seconds,
        given=given,
        batch=len(clips),
        rule=cell.way.rule,
        binder=instruments.binder,
        conditions=[Condition(instruments.binder.embed_text(captions))] if captions else [],
        reconstruction=cell.way.reconstruction,
    ).signals
    seconds = (time.perf_counter() - began) / len(clips)
    rows = instruments.measured(made, [each.scene.event.name for each in clips])
    heard = instruments.verdict(made["audio"]).features.tolist()
    moments = timing_rows(made, "", split, indices, clips)
    right = [row["right"] and (not captions or row["judged"] == row["event"]) for row in rows]
    return [
        {**row, **timing, "right": one_event, "heard": features, "seconds": seconds}
        for row, timing, one_event, features in zip(rows, moments, right, heard, strict=True)
    ]


def coupled_summary(rows: Sequence[Mapping], real: Mapping[str, torch.Tensor]) -> dict:
    """The figures of a row: `summary`, and by stream the distances to real clips on the judge's features.

    real: by stream, see `coupled_features`.
    """
    made = {"video": "features", "audio": "heard"}
    features = {stream: torch.tensor([row[name] for row in rows]) for stream, name in made.items()}
    # SURE is what the decoders of other generators allow.
    figures = {name: value for name, value in summary(rows, real["video"]).items() if name not in ("sure", "frechet")}
    for stream, each in features.items():
        figures[f"frechet_{stream}"] = frechet_distance(each, real[stream])
        figures[f"kernel_{stream}"] = kernel_distance(each, real[stream])
    return figures


def coupled_features(models: CoupledModels, split: str, count: int) -> dict[str, torch.Tensor]:
    """By stream, the judge's features (count, 64) of real clips at the size and rate of the generator."""
    shown = real_signals(models.generator, [clip(plain(scene(split, REAL_FROM + number))) for number in range(count)])
    return {stream: models.instruments.verdict(signal).features for stream, signal in shown.items()}
