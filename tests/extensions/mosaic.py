"""A generator that another package could bring: flow matching on pictures of four coloured tiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import nn

from aligner.generators.base import NO_GRADIENT, BackwardPass, Footprint, Streams
from aligner.generators.signals import Frames
from aligner.timing.intervals import WHOLE, Interval

#: The colours that prompts may name, in the space of the latents.
PROMPTS = {"red": (1.0, -1.0, -1.0), "green": (-1.0, 1.0, -1.0), "blue": (-1.0, -1.0, 1.0)}


class Mosaic:
    """Rectified flow (arXiv 2209.03003) of latents (B, 3, 1, side, side): z = (1 - s) x + s noise, s from 1 to 0.

    The network is a fixed function: a clean picture is even in each of its four tiles, and tinted by the prompt.
    """

    streams = ("picture",)
    coupled_streams = (("picture",),)
    device = torch.device("cpu")
    seconds = Fraction(1)
    segments: tuple[Interval, ...] = (WHOLE,)

    def __init__(self, side: int = 8, steps: int = 5):
        self.side, self.steps = side, steps

    def active_streams(self, index: int) -> tuple[str, ...]:
        return self.streams

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        shape = (3, 1, self.side, self.side)
        return {"picture": torch.stack([torch.randn(shape, generator=generator) for generator in generators])}

    def noised(self, clean: Streams, noise: Streams, index: int) -> Streams:
        s = self._level(index)
        return {name: (1 - s) * latent + s * noise[name] for name, latent in clean.items()}

    def unconditional(self, latents: Streams, index: int) -> Streams:
        return {}

    def predict(self, latents: Streams, prompts: Streams, index: int, unconditional: Streams | None = None) -> Streams:
        z, tint = latents["picture"], prompts["picture"][:, :, None, None, None]
        tiles = F.avg_pool3d(z, (1, self.side // 2, self.side // 2))
        clean = 2 * tiles.repeat_interleave(self.side // 2, dim=3).repeat_interleave(self.side // 2, dim=4) + tint
        return {"picture": (z - clean) / self._level(index)}

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        return {"picture": latents["picture"] - self._level(index) * output["picture"]}

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        by = self._level(index + 1) - self._level(index)
        return {"picture": latents["picture"] + by * output["picture"]}

    def _level(self, index: int) -> float:
        """The share of noise when step `index` begins."""
        return 1 - index / self.steps

    def render(self, clean: Streams) -> dict[str, Frames]:
        return {"picture": Frames(clean["picture"].sigmoid().transpose(1, 2), Fraction(1))}

    def prompts(self, prompts: Mapping[str, Sequence[str]] | Sequence[str]) -> Streams:
        texts = prompts["picture"] if isinstance(prompts, Mapping) else prompts
        return {"picture": torch.tensor([PROMPTS.get(text, (0.0, 0.0, 0.0)) for text in texts])}

    def footprint(self, batch: int, backward: Mapping[str, BackwardPass] = NO_GRADIENT) -> Footprint:
        return Footprint(0.0, batch * 3 * self.side**2 * 4.0)

    def modality(self, stream: str) -> str:
        return "image"

    def checkpointable(self) -> Iterable[nn.Module]:
        return []
