"""Clips of the demo's world, and all demo models after a single step of training: real sizes, real files."""

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
from laboratory import train
from laboratory.evaluation import table
from laboratory.evaluation.instruments import Instruments
from laboratory.evaluation.runs import demo_models
from laboratory.training import (
    audio_unet,
    binder,
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

#: Clips to learn from and sizes of batches: as few as show that it works.
FEW = {"CLIPS": 4, "BATCH": 2, "PICTURES": 2, "VIDEOS": 1}
MODULES = (audio_unet, binder, image_vae, judge, mel_vae, text_encoders, video_unet, vocoder)
PATHS = ("WEIGHTS", "IMAGEBIND", "AUDIOLDM", "STABLE_DIFFUSION", "MOTION", "JUDGE", "SECOND_IMAGEBIND")


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
    """A clip of each event, in which nothing happens for half a second and then one thing."""
    scenes = (scene_of(request.param, "development", index) for index in range(100))
    return clip(next(each for each in scenes if each.times[0] >= 0.5 and len(each.times) == 1))


@pytest.fixture(scope="session")
def random_judge():
    return initialised(Judge, 0).requires_grad_(False)


@pytest.fixture(scope="session")
def instruments(random_judge, binder):
    """With random weights: what they measure means nothing, but has to be measured rightly."""
    return Instruments(random_judge, second=binder, binder=binder)


@pytest.fixture
def few_resamples(monkeypatch):
    """Intervals that are rough, and soon there."""
    monkeypatch.setattr(table, "bootstrap_interval", partial(bootstrap_interval, resamples=200))


@pytest.fixture
def few_clips(tmp_path):
    return clips("development", 8, tmp_path)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """What `python -m laboratory.train --output weights` leaves behind if every part takes one step.

    work: the folder of states. weights: the folder of models. models: loaded from it. again: trains some of them once
    more. built_in: where models would be written without an output.
    """
    folder = tmp_path_factory.mktemp("trained")
    work, weights, built_in = folder / "work", folder / "weights", folder / "built-in"

    def again(*options: str) -> None:
        with _family_at(built_in), _in_a_hurry():
            train.main(["--work", str(work), "--output", str(weights), *options])

    again()
    with _family_at(weights):
        models = demo_models()
    return SimpleNamespace(work=work, weights=weights, models=models, again=again, built_in=built_in)


@contextmanager
def _family_at(weights: Path) -> Iterator[None]:
    """Within the context the built-in models are elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        for name, path in {name: getattr(family, name).relative_to(family.WEIGHTS) for name in PATHS}.items():
            patch.setattr(family, name, weights / path)
        yield


@contextmanager
def _in_a_hurry() -> Iterator[None]:
    """Within the context training takes one step a part."""
    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            for name, value in list(vars(module).items()):
                if name in FEW:
                    patch.setattr(module, name, FEW[name])
                elif isinstance(value, Schedule):
                    patch.setattr(module, name, replace(value, steps=1))
        whole = binder._trained  # what limits binders are its arguments

        def hurried(name, config, split, count, *, schedule, **others):
            return whole(name, config, split, FEW["CLIPS"], schedule=replace(schedule, steps=1), **others)

        patch.setattr(binder, "_trained", hurried)
        yield
