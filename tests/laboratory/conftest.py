"""Clips of the demo's world, and all demo models after one step of training, in their real sizes and files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from aligner.demo import family
from aligner.demo.events import EVENTS
from aligner.demo.judge import Judge
from aligner.metrics import bootstrap_interval
from laboratory import train, weights
from laboratory.evaluation import table
from laboratory.evaluation.instruments import Instruments
from laboratory.evaluation.runs import demo_models
from laboratory.training import (
    audio_unet,
    binder,
    coupled_unet,
    image_vae,
    judge,
    mel_vae,
    text_encoders,
    video_unet,
    vocoder,
)
from laboratory.training.data import clips
from laboratory.training.initialise import initialised
from laboratory.training.loop import Schedule
from laboratory.world import clip, scene, scene_of

#: Numbers of clips and sizes of batches, as small as a training allows.
FEW = {"CLIPS": 4, "BATCH": 2, "PICTURES": 2, "VIDEOS": 1}
MODULES = (audio_unet, binder, coupled_unet, image_vae, judge, mel_vae, text_encoders, video_unet, vocoder)
#: The names of the built-in files and folders.
PATHS = ("IMAGEBIND", "AUDIOLDM", "STABLE_DIFFUSION", "MOTION", "JUDGE")


@pytest.fixture(scope="session")
def development():
    """The first 24 clips of the development split: three of each event."""
    return [clip(scene("development", index)) for index in range(24)]


@pytest.fixture(scope="session")
def sounds(development):
    return torch.stack([each.waveform for each in development[:3]])


@pytest.fixture(scope="session")
def frames(development):
    return torch.stack([each.frames for each in development[:3]])


@pytest.fixture(scope="session", params=EVENTS, ids=lambda event: event.name)
def late(request):
    """A clip of each event in which one event happens, after at least half a second."""
    scenes = (scene_of(request.param, "development", index) for index in range(100))
    return clip(next(each for each in scenes if each.times[0] >= 0.5 and len(each.times) == 1))


@pytest.fixture(scope="session")
def random_judge():
    return initialised(Judge, 0).requires_grad_(False)


@pytest.fixture(scope="session")
def instruments(random_judge, binder):
    """Instruments with random weights. Their figures mean nothing, but their arithmetic can be checked."""
    return Instruments(random_judge, second=binder, binder=binder)


@pytest.fixture
def few_resamples(monkeypatch):
    """Confidence intervals are rough and fast."""
    monkeypatch.setattr(table, "bootstrap_interval", partial(bootstrap_interval, resamples=200))


@pytest.fixture
def few_clips(tmp_path):
    return clips("development", 8, tmp_path)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The result of `python -m laboratory.train --output weights`, with one step for every part.

    work: the folder of states. weights: the folder of models. logs: the folder of logs. models: loaded from weights.
    built_in: the folder that stands in for the built-in models. again: trains once more, with options.
    """
    folder = tmp_path_factory.mktemp("trained")
    work, output, logs, built_in = (folder / name for name in ("work", "weights", "logs", "built-in"))

    def again(*options: str, built_in: Path = built_in) -> None:
        with _built_in_models_at(built_in / "demo", built_in / "laboratory"), _one_step_of_training():
            train.main(["--work", str(work), "--logs", str(logs), *options])

    again("--output", str(output))
    with _built_in_models_at(output, output):
        models = demo_models()
    return SimpleNamespace(work=work, weights=output, logs=logs, models=models, built_in=built_in, again=again)


@contextmanager
def _built_in_models_at(demo: Path, laboratory: Path) -> Iterator[None]:
    """Within the context other folders stand in for those of the demo models and of the second binder."""
    with pytest.MonkeyPatch.context() as patch:
        for name in PATHS:
            patch.setattr(family, name, demo / getattr(family, name).name)
        patch.setattr(family, "WEIGHTS", demo)
        patch.setattr(weights, "SECOND_IMAGEBIND", laboratory / weights.SECOND_IMAGEBIND.name)
        yield


@contextmanager
def _one_step_of_training() -> Iterator[None]:
    """Within the context every part is trained for one step."""
    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            for name, value in list(vars(module).items()):
                if name in FEW:
                    patch.setattr(module, name, FEW[name])
                elif isinstance(value, Schedule):
                    patch.setattr(module, name, replace(value, steps=1))
        # The clips and the schedules of the binders are arguments.
        original = binder._trained

        def one_step(name, config, split, count, *, schedule, **others):
            return original(name, config, split, FEW["CLIPS"], schedule=replace(schedule, steps=1), **others)

        patch.setattr(binder, "_trained", one_step)
        yield


@pytest.fixture
def made_up_row():
    """A row of figures for a sample of that number. right: whether the judge finds the event."""

    def row(index: int, right: bool) -> dict:
        return {
            "judged": "bell",
            "right": right,
            "silent": False,
            "cosine": 0.1,
            "second": 0.2,
            "matched": None,
            "optimised": 0.3,
            "seconds": 1.0,
            "features": [float(index == k) for k in range(64)],
        }

    return row
