"""A part of something made anew, the rest kept: inpainting in sound and video."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..errors import AlignerError
from .base import Denoiser, Streams


class Inpainting:
    """A denoiser that makes only a part of its latents anew (blended latent diffusion, arXiv 2206.02779).

    masks: per stream (1 or B, 1 or C, T, ...) in 0..1: 1 is made anew, 0 is kept as it is in the clean latents that
    `start` is given, and between they are blended. At every step what is kept has as much noise upon it as the rest,
    so that the two grow together: that of the generators' seeds, whatever is tried for the rest. Everything else is the
    denoiser's own.

    `start` raises AlignerError unless it is given clean latents.
    """

    def __init__(self, denoiser: Denoiser, masks: Streams):
        self.denoiser, self._given = denoiser, masks
        self._masks: Streams = {}
        self._kept: Streams = {}
        self._noise: Streams = {}

    def __getattr__(self, name: str):
        return getattr(self.denoiser, name)

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        missing = [name for name in self._given if name not in (clean or {})]
        if missing:
            raise AlignerError(f"A mask keeps a part of a latent, but no {' and '.join(missing)} latent is connected.")
        started = self.denoiser.start(generators, clean)
        self._kept = {name: clean[name] for name in self._given}
        # Cloned: what another ComfyUI node hands over is an inference tensor, which autograd refuses.
        self._masks = {name: mask.to(clean[name]).clone() for name, mask in self._given.items()}
        self._noise = {name: _noise(generators, kept) for name, kept in self._kept.items()}
        kept = self.denoiser.noised(self._kept, self._noise, 0)
        # Where old and new are blended, candidates of different noises would average into too little of it.
        return {
            name: torch.where(self._masks[name] < 1, kept[name], latents) if name in kept else latents
            for name, latents in started.items()
        }

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        return self._blended(self.denoiser.x0(latents, output, index), self._kept)

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        return self._blended(
            self.denoiser.step(latents, output, index), self.denoiser.noised(self._kept, self._noise, index + 1)
        )

    def _blended(self, made: Streams, kept: Streams) -> Streams:
        return {
            name: torch.lerp(kept[name], tensor, self._masks[name]) if name in self._masks else tensor
            for name, tensor in made.items()
        }


def _noise(generators: Sequence[torch.Generator], like: torch.Tensor) -> torch.Tensor:
    """What the generators drew first, as they were seeded."""
    seeded = [torch.Generator(each.device).manual_seed(each.initial_seed()) for each in generators]
    return torch.stack([torch.randn(like.shape[1:], generator=each, device=each.device) for each in seeded]).to(like)
