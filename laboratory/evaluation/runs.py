"""Generate and measure the samples of a cell, batch by batch. Measured rows are kept in a file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean

import torch

from aligner.binders.base import sampling_of
from aligner.conditions.condition import Condition
from aligner.demo import family
from aligner.demo.judge import Judge, verdict
from aligner.files.atomic import written_whole
from aligner.generation import Generation, generate
from aligner.generators.animatediff import AnimateDiff
from aligner.generators.audioldm import AudioLDM
from aligner.generators.base import Generator
from aligner.generators.joint import JointDenoiser
from aligner.guidance.rule import Rule, Step

from ..edition import edition
from ..weights import fingerprint, load_second_imagebind
from ..world import FPS, FRAMES, SECONDS, SIDE, Clip, clip, scene
from .cells import CAPTIONS, TASKS, Cell
from .instruments import Finished, Instruments, sound_of, video_of
from .timing import timing_rows, with_pair_leads

BATCH = 8
#: Fewer than the paper's 30 and 25, for all rules: the demo models need no more.
STEPS = 20
AUDIO_CFG = 2.5
#: Between the seeds of two draws for one clip.
_NEXT_DRAW = 10_000
#: The number of the first real clip that the Fréchet distance compares results with. There are as many real clips as
#: results, because the distance grows as samples get fewer.
REAL_FROM = 10_000


@dataclass(frozen=True)
class DemoModels:
    """The generators and the instruments. fingerprint: of all their weights."""

    audioldm: AudioLDM
    animatediff: AnimateDiff
    instruments: Instruments
    fingerprint: str

    def denoiser(self, streams: Sequence[str], steps: int = STEPS) -> Generator:
        """The generator of these streams, ready to make clips of the demo's shape."""
        made = {
            "audio": lambda: self.audioldm.denoiser(seconds=SECONDS, steps=steps, cfg=AUDIO_CFG),
            "video": lambda: self.animatediff.denoiser(
                frames=FRAMES, height=SIDE, width=SIDE, fps=FPS, steps=steps, cfg=family.VIDEO_CFG
            ),
        }
        denoisers = [made[stream]() for stream in streams]
        return denoisers[0] if len(denoisers) == 1 else JointDenoiser(denoisers)


def demo_models() -> DemoModels:
    """The built-in generators and their instruments."""
    return DemoModels(
        family.load_demo_audioldm(),
        family.load_demo_animatediff(),
        Instruments(family.load_demo_judge(), load_second_imagebind(), family.load_demo_imagebind()),
        fingerprint(),
    )


def rows_of(cell: Cell, models: DemoModels, split: str, samples: int, work: Path | None = None) -> list[dict]:
    """Generate and measure a cell for the first `samples` clips of a split: one row of figures for each.

    work: folder where rows are kept, so that a stopped run can go on; None: rows are not kept. Rows of other models or
    settings are discarded.
    """
    rule = cell.rule
    path = work / split / f"{cell.name}.json" if work else None
    rows = resumed(path, settings_of(cell, models), samples, lambda indices: _batch(cell, models, split, indices, rule))
    return rows if TASKS[cell.task].given else with_pair_leads(rows)


def resumed(path: Path | None, made_by: str, samples: int, batch: Callable[[range], list[dict]]) -> list[dict]:
    """The rows of the first `samples` clips. `batch` measures those that the file does not hold, some at a time.

    path: the file where rows are kept; None: they are not kept. made_by: what rows depend on; others are discarded.
    """
    rows = _kept_rows(path, made_by)
    for first in range(len(rows), samples, BATCH):
        rows += batch(range(first, min(first + BATCH, samples)))
        if path:
            with written_whole(path) as partial:
                partial.write_text(json.dumps({"made_by": made_by, "rows": rows}), encoding="utf-8")
    return rows[:samples]


def settings_of(cell: Cell, models: DemoModels) -> str:
    """A text that differs for every model, setting and state of the code that the rows of a cell depend on."""
    rule = cell.rule
    return f"{models.fingerprint} {rule} {STEPS} {AUDIO_CFG} {family.VIDEO_CFG} edition {edition()}"


def _kept_rows(path: Path | None, made_by: str) -> list[dict]:
    if path is None or not path.exists():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    return found["rows"] if found["made_by"] == made_by else []


def _batch(cell: Cell, models: DemoModels, split: str, indices: range, rule: Rule) -> list[dict]:
    task = TASKS[cell.task]

    def drawn(draw: int) -> list[dict]:
        def make(captions: Sequence[str], given: Finished | None) -> dict[str, Finished]:
            seed = task.seed + draw * _NEXT_DRAW + indices[0]
            return generated(models, task.generates, captions, given, rule, seed=seed, steps=STEPS).signals

        return measured_batch(models.instruments, cell.caption, task.given, split, indices, make)

    return [averaged(rows) for rows in zip(*(drawn(draw) for draw in range(cell.draws)))]


def averaged(rows: Sequence[dict]) -> dict:
    """Several results for one clip as one row: the means of figures, and of what has no mean the first."""
    if len(rows) == 1:
        return rows[0]
    return {
        name: fmean(float(row[name]) for row in rows) if isinstance(first, bool | float) else first
        for name, first in rows[0].items()
    }


def measured_batch(
    instruments: Instruments,
    caption: str,
    part: str,
    split: str,
    indices: Sequence[int],
    make: Callable[[Sequence[str], Finished | None], dict[str, Finished]],
) -> list[dict]:
    """Generate for these clips of a split and measure: one row of figures for each.

    caption: a kind of caption. part: of the clips, which steers. make: captions and that part to the generated streams.
    """
    clips = [clip(scene(split, index)) for index in indices]
    captions = [CAPTIONS[caption](each.scene, index) for each, index in zip(clips, indices)]
    given = given_signal(part, clips)
    began = time.perf_counter()
    signals = make(captions, given)
    seconds = (time.perf_counter() - began) / len(clips)
    rows = instruments.measured(signals, [each.scene.event.name for each in clips], given)
    timed = timing_rows(signals, part, split, indices, clips)
    return [{"index": index, **row, **timing, "seconds": seconds} for index, row, timing in zip(indices, rows, timed)]


@cache
def real_features(judge: Judge, part: str, split: str, count: int) -> torch.Tensor:
    """The judge's features of that part of real clips of a split, (count, 64). None of these clips steers a result."""
    clips = [clip(scene(split, REAL_FROM + number)) for number in range(count)]
    return verdict(judge, given_signal(part, clips)).features


def generated(
    models: DemoModels,
    streams: Sequence[str],
    captions: Sequence[str],
    given: Finished | None,
    rule: Rule,
    *,
    seed: int,
    steps: int = STEPS,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Generation:
    """Generate a batch. Each sample has its own caption and condition, and sample k draws its noise from seed + k.

    given: the clips' part that steers, one sample for each caption; None: nothing. A rule that does not guide gets no
    conditions, so that its result is not scored.
    """
    denoiser, binder = models.denoiser(streams, steps), models.instruments.binder
    conditions = []
    if rule.guides:
        conditions = [Condition(binder.embed_text(captions), prompt=True)]
        if given is not None:
            clips = sampling_of(binder, rule.comparison.clips)
            with torch.no_grad():
                onsets = given.onsets()
                # A picture has no time.
                conditions.append(Condition(given.embed(binder, clips), onsets=onsets if onsets.shape[1] else None))
    return generate(
        denoiser,
        denoiser.prompts(captions),
        seed=seed,
        batch=len(captions),
        binder=binder,
        conditions=conditions,
        rule=rule,
        on_step=on_step,
    )


def given_signal(given: str, clips: Sequence[Clip]) -> Finished | None:
    """The part of the clips that steers: their sounds, their frames, or the frame in the middle of the first event.

    given: "audio", "video" or "image"; "" gives None.
    """
    if not given:
        return None
    if given == "audio":
        return sound_of(torch.stack([each.waveform for each in clips]))
    frames = torch.stack([each.frames for each in clips])
    if given == "image":
        moments = [key_frame(each) for each in clips]
        frames = frames[torch.arange(len(clips)), moments].unsqueeze(1)
    return video_of(frames)


def key_frame(each: Clip) -> int:
    """The number of the frame that shows the middle of the first event."""
    return int((each.scene.times[0] + each.scene.event.seconds / 2) * FPS)
