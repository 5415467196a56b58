"""A generator from outside: two pictures from one network, as MM-Diffusion makes video and sound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import torch
from torch import nn

from aligner.generators.base import NO_GRADIENT, BackwardPass, Footprint, Streams
from aligner.generators.signals import Frames
from aligner.timing.intervals import WHOLE, Interval


class Diptych:
    """Two streams that depend on each other: each step moves both latents towards their common mean.

    prompted: whether it takes prompts, which tint both pictures; without, `prompts` is empty.
    """

    streams = ("left", "right")
    coupled_streams = (("left", "right"),)
    device = torch.device("cpu")
    seconds = Fraction(1)
    segments: tuple[Interval, ...] = (WHOLE,)

    def __init__(self, *, prompted: bool, steps: int = 4):
        self.prompted, self.steps = prompted, steps

    def active_streams(self, index: int) -> tuple[str, ...]:
        return self.streams

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        return {
            name: torch.stack([torch.randn(3, 1, 4, 4, generator=generator) for generator in generators])
            for name in self.streams
        }

    def noised(self, clean: Streams, noise: Streams, index: int) -> Streams:
        share = 1 - index / self.steps
        return {name: (1 - share) * latent + share * noise[name] for name, latent in clean.items()}

    def unconditional(self, latents: Streams, index: int) -> Streams:
        mean = (latents["left"] + latents["right"]).detach() / 2
        return {"left": mean, "right": mean}

    def predict(self, latents: Streams, prompts: Streams, index: int, unconditional: Streams | None = None) -> Streams:
        mean = (unconditional or {}).get("left", (latents["left"] + latents["right"]) / 2)
        tints = {name: prompts[name][:, :, None, None, None] if self.prompted else 0.0 for name in self.streams}
        return {name: latents[name] - (mean + tints[name]) for name in self.streams}

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        return {name: latents[name] - output[name] for name in latents}

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        return {name: latents[name] - output[name] / (self.steps - index) for name in latents}

    def render(self, clean: Streams) -> dict[str, Frames]:
        return {name: Frames(latent.sigmoid().transpose(1, 2), Fraction(1)) for name, latent in clean.items()}

    def prompts(self, prompts: Mapping[str, Sequence[str]] | Sequence[str]) -> Streams:
        return {name: torch.zeros(1, 3) for name in self.streams} if self.prompted else {}

    def footprint(self, batch: int, backward: Mapping[str, BackwardPass] = NO_GRADIENT) -> Footprint:
        return Footprint(0.0, batch * 400.0)

    def modality(self, stream: str) -> str:
        return "image"

    def checkpointable(self) -> Iterable[nn.Module]:
        return []
