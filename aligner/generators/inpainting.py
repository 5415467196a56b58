"""Inpainting: a part of a sound or video is made anew, and the rest is kept."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..errors import AlignerError
from .base import Generator, Streams

#: Between the seeds of the noises of two streams, which must not be alike.
_NEXT_STREAM = 1_000_003


class Inpainting:
    """A generator that makes only a part of its latents anew (blended latent diffusion, arXiv 2206.02779).

    masks: by stream (1 or B, 1 or C, T, ...) in 0..1; 1 is made anew, 0 is kept, values between blend. kept: by stream
    the clean latents (B, C, T, ...) that the masks keep. noise: of the same shapes; before step i the kept part is
    `kept` with the noise of that step, so that both parts denoise together. All candidates share it.

    Everything else is the generator's own. `begun` makes one for a run.
    """

    def __init__(self, generator: Generator, masks: Streams, kept: Streams, noise: Streams):
        self.generator, self.masks, self.kept, self.noise = generator, masks, kept, noise

    @classmethod
    def begun(
        cls,
        generator: Generator,
        masks: Streams,
        clean: Streams | None,
        generators: Sequence[torch.Generator],
        **options: float,
    ) -> Inpainting:
        """Take what the masks keep from the clean latents, and its noise from the seeds of the random generators.

        options: what a class of this kind needs beside them. Raises AlignerError where a masked stream has no clean
        latent, and for a mask that does not fit it.
        """
        clean = clean or {}
        if missing := [name for name in masks if name not in clean]:
            raise AlignerError(f"A mask keeps a part of a latent, but no {' and '.join(missing)} latent is connected.")
        kept = {name: clean[name] for name in masks}
        for name, mask in masks.items():
            _require_mask(name, mask, kept[name])
        # Cloned: another ComfyUI node hands over inference tensors, which autograd refuses.
        masks = {name: mask.to(kept[name]).clone() for name, mask in masks.items()}
        numbers = {name: number for number, name in enumerate(generator.streams)}
        noise = {name: _noise(generators, latent, numbers[name]) for name, latent in kept.items()}
        return cls(generator, masks, kept, noise, **options)

    def __getattr__(self, name: str):
        return getattr(self.generator, name)

    @property
    def movable_streams(self) -> tuple[str, ...]:
        """Where a part is kept, the rest stays beside it."""
        return tuple(stream for stream in getattr(self.generator, "movable_streams", ()) if stream not in self.masks)

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        started = self.generator.start(generators, clean)
        kept = self.generator.noised(self.kept, self.noise, 0)
        # Where old and new blend, averaging different noises would lower their variance: one noise for both.
        return {
            name: torch.where(self.masks[name] < 1, kept[name], latents) if name in kept else latents
            for name, latents in started.items()
        }

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        return self._blended(self.generator.x0(latents, output, index), self.kept)

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        kept = self.generator.noised(self.kept, self.noise, index + 1)
        return self._blended(self.generator.step(latents, output, index), kept)

    def _blended(self, made: Streams, kept: Streams) -> Streams:
        return {
            name: torch.lerp(kept[name], tensor, self.masks[name]) if name in self.masks else tensor
            for name, tensor in made.items()
        }


def _require_mask(name: str, mask: torch.Tensor, latent: torch.Tensor) -> None:
    if mask.ndim != latent.ndim or any(size not in (1, own) for size, own in zip(mask.shape, latent.shape)):
        raise AlignerError(
            f"The mask of {name} has shape {tuple(mask.shape)}, but its latent has {tuple(latent.shape)}. Give a mask "
            "of the same shape; an axis of length 1 stands for all."
        )
    if not ((mask >= 0) & (mask <= 1)).all():
        raise AlignerError(f"The mask of {name} must lie in 0..1: 0 keeps, 1 is made anew.")


def _noise(generators: Sequence[torch.Generator], like: torch.Tensor, number: int) -> torch.Tensor:
    """The first draw of a seed for each generator, whatever it has drawn since: its own for the first stream."""
    seeds = [each.initial_seed() + number * _NEXT_STREAM for each in generators]
    seeded = [torch.Generator(each.device).manual_seed(seed % 2**64) for each, seed in zip(generators, seeds)]
    return torch.stack([torch.randn(like.shape[1:], generator=each, device=each.device) for each in seeded]).to(like)
