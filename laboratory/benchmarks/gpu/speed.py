"""Seconds of a sample at full size: ten seconds of sound for a video, and 16 frames of 512 x 512 for a sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from aligner import settings
from aligner.binders.base import Embedding
from aligner.conditions.condition import Condition
from aligner.generation import generate
from aligner.generators.animatediff import STREAM
from aligner.guidance.gradient import Released
from aligner.guidance.rule import Rule
from aligner.guidance.search import Search

from ..measure import seconds_of
from ..scene import random_networks
from ..video_scene import random_video_scene
from .row import Row

CHECK, UNIT = "a sample", "s"
#: The defaults, and the rule of the released code.
RULES: dict[str, Rule] = {"default search": Search(), "released rule": Released()}
#: The range of random weights needs more exponents than half precision has.
DTYPE = torch.bfloat16


@dataclass(frozen=True)
class Size:
    """networks: of `scene.SIZES` and `video_scene.SIZES`. seconds: of sound. frames, side: of video. steps: None for
    the defaults."""

    audio: str
    video: str
    seconds: float
    frames: int
    side: int
    steps: int | None = None


FULL = Size("m", "full", 10.0, 16, 512)
SMALL = Size("small", "small", 0.4, 4, 64, steps=2)


def rows(device: torch.device, size: Size) -> Iterator[Row]:
    """A row for each task and rule."""
    yield from _sounds(device, size)
    yield from _videos(device, size)


def _sounds(device: torch.device, size: Size) -> Iterator[Row]:
    model, binder = (network.to(device, DTYPE) for network in random_networks(size.audio, seed=0))
    denoiser = model.denoiser(seconds=size.seconds, steps=size.steps or settings.AUDIO_STEPS.default)
    condition = _condition(binder, "video", clips=max(1, round(size.seconds)), device=device)
    for name, rule in RULES.items():
        seconds = seconds_of(
            lambda: generate(
                denoiser, denoiser.prompts(["rain"]), seed=0, rule=rule, binder=binder, conditions=[condition]
            ),
            device,
        )
        yield Row(CHECK, f"V2A, {size.seconds:g} s, AudioLDM {size.audio}, {name}", seconds, UNIT)


def _videos(device: torch.device, size: Size) -> Iterator[Row]:
    scene = random_video_scene(size.video, size.frames, size.side, size.side, DTYPE, device)
    denoiser = scene.model.denoiser(
        frames=size.frames,
        height=size.side,
        width=size.side,
        steps=size.steps or settings.VIDEO_STEPS.default,
    )
    condition = _condition(scene.binder, "audio", clips=2, device=device)
    for name, rule in RULES.items():
        seconds = seconds_of(
            lambda: generate(
                denoiser, {STREAM: scene.prompt}, seed=0, rule=rule, binder=scene.binder, conditions=[condition]
            ),
            device,
        )
        yield Row(CHECK, f"A2V, {size.frames} frames of {size.side} x {size.side}, {name}", seconds, UNIT)


def _condition(binder, modality: str, clips: int, device: torch.device) -> Condition:
    """A recording that a binder embedded, of random direction: the cost does not depend on it."""
    random = torch.randn(1, clips, binder.config.embed_dim, generator=torch.Generator().manual_seed(1))
    return Condition(Embedding(random.to(device), None, modality, binder.fingerprint))
