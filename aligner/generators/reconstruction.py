"""Reconstruction guidance: a given stream pulls the streams that are coupled to it (arXiv 2204.03458, 2212.09478).

Replacing a given stream at every step (`Inpainting`) leaves the others to the network. Here they also follow

    x_other <- x_other - scale sqrt(abar_t) grad_(x_other) || predicted_(t-1) - given_(t-1) ||^2

where predicted_(t-1) is the given stream as the network would denoise it, and the norm is a sum over its values.

The code of MM-Diffusion's authors has the mean, and the scale 3. In half precision, as their scripts run, it multiplies
the gradient by 2^20 and never divides: for their clips that is a scale of 16 here where a video is given, and of 123
for a sound, in each of 1000 steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from .. import settings
from ..errors import AlignerError
from .base import BackwardPass, Generator, Streams
from .inpainting import Inpainting

#: Among outputs, before the name of a stream: the latents that its prediction was made from.
_LEAF = "latents of "


class Reconstruction(Inpainting):
    """A generator that keeps streams, and whose other streams follow how well it predicts what is kept.

    scale: of the gradient, 0 or more. The rest: see Inpainting.

    Raises AlignerError where no stream is left to follow, or for another scale.
    """

    def __init__(self, generator: Generator, masks: Streams, kept: Streams, noise: Streams, scale: float):
        super().__init__(generator, masks, kept, noise)
        self.scale = scale
        if not (math.isfinite(scale) and scale >= 0):
            raise AlignerError(
                f"The scale of reconstruction must be 0 or more, not {scale}. "
                f"{settings.RECONSTRUCTION.default:g} is usual."
            )
        if not self.followers:
            raise AlignerError("Reconstruction needs a stream that is made anew, beside the one that is given.")

    @property
    def passes_back(self) -> dict[str, BackwardPass]:
        """By stream, the backward passes of a step, which recompute activations."""
        return following(self.followers)

    @property
    def followers(self) -> list[str]:
        """The streams that are made anew, or a part of them."""
        return [name for name in self.generator.streams if name not in self.masks or bool(self.masks[name].any())]

    def predict(self, latents: Streams, prompts: Streams, index: int, unconditional: Streams | None = None) -> Streams:
        """The output with its graph, and the leaves of that graph for `step`."""
        leaves = {stream: _leaf(latents[stream]) for stream in self.followers}
        with torch.enable_grad():
            output = self.generator.predict(latents | leaves, prompts, index, unconditional)
        return output | {_LEAF + stream: leaf for stream, leaf in leaves.items()}

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        return super().x0(latents, _outputs(output), index)

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        leaves = {stream: output[_LEAF + stream] for stream in self.followers}
        last = index + 1 == self.generator.steps
        # 1. The step of all streams, and how far that of the given ones is from what they should be.
        with torch.set_grad_enabled(not last):
            made = self.generator.step(latents | leaves, _outputs(output), index)
            wanted = self.generator.noised(self.kept, self.noise, index + 1)
            error = torch.stack([self._error(stream, made[stream], each) for stream, each in wanted.items()]).sum()
        # 2. Replace the given streams.
        moved = self._blended({stream: each.detach() for stream, each in made.items()}, wanted)
        if last:
            return moved
        # 3. Move the others down the error.
        gradients = torch.autograd.grad(error, list(leaves.values()))
        return moved | {
            stream: moved[stream] - self.scale * self._made(stream, self._signal(stream, gradient, index) * gradient)
            for stream, gradient in zip(leaves, gradients, strict=True)
        }

    def _made(self, stream: str, change: torch.Tensor) -> torch.Tensor:
        """The change of a stream where it is made anew."""
        return self.masks[stream] * change if stream in self.masks else change

    def _error(self, stream: str, made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """The squared error, where the stream is kept."""
        return ((1 - self.masks[stream]) * (made - wanted).square()).sum()

    def _signal(self, stream: str, like: torch.Tensor, index: int) -> torch.Tensor:
        """sqrt(abar_t): what a clean 1 is at the beginning of a step, without its noise."""
        one = {stream: torch.ones_like(like)}
        return self.generator.noised(one, {stream: torch.zeros_like(like)}, index)[stream]


def following(streams: Iterable[str]) -> dict[str, BackwardPass]:
    """The backward passes of streams that follow others."""
    return dict.fromkeys(streams, BackwardPass(True, to_prompt=False, checkpointing=True, through_step=True))


def _leaf(latent: torch.Tensor) -> torch.Tensor:
    """A tensor that a gradient can reach: the latent itself where a rule asks for its gradient already."""
    return latent if latent.requires_grad else latent.detach().requires_grad_()


def _outputs(output: Streams) -> Streams:
    return {name: each for name, each in output.items() if not name.startswith(_LEAF)}
