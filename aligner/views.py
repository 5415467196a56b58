"""Randomised looks at a result.

A gradient can raise the score of one exact look without changing what there is to see or hear: it finds an adversarial
latent (arXiv 1312.6199). Changes that leave the meaning alone, drawn anew for every look, take that way out away
(expectation over transformation, arXiv 1707.07397; for diffusion guidance CLIP-guided sampling with random cutouts).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

#: How loud, how bright, how noisy a look may be: factors and standard deviations for values in 0..1 or -1..1.
_DECIBEL, _BRIGHTNESS, _HISS, _GRAIN = 6.0, 0.15, 0.01, 0.03
#: The share of ImageBind's patches that one look sees (arXiv 2212.00794).
_SEEN = 0.5


class Views:
    """Draws the changes of one look after another; an embedding is the mean of `count` looks.

    generators: one for each sample of a batch, so that what a sample looks like does not depend on the others.
    """

    def __init__(self, generators: Sequence[torch.Generator], count: int):
        self.generators, self.count = tuple(generators), count

    def sound(self, waveforms: torch.Tensor) -> torch.Tensor:
        """(B, n) in -1..1: louder or softer by up to 6 dB, with a little hiss."""
        gain = 10 ** (_DECIBEL / 20 * self._between(waveforms))
        return waveforms * gain + _HISS * self._between(waveforms).abs() * self._noise(waveforms)

    def pictures(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, ..., 3, H, W) in 0..1: brighter or darker, with a little grain; the same for all pictures of a sample."""
        light = 1 + _BRIGHTNESS * self._between(pixels)
        return (pixels * light + _GRAIN * self._between(pixels).abs() * self._noise(pixels)).clamp(0, 1)

    def patches(self, count: int, clips: int) -> torch.Tensor:
        """(B * clips, k) int64: which of `count` patches are seen, for `clips` clips of every sample."""
        seen = round(_SEEN * count)
        return torch.cat([torch.rand(clips, count, generator=generator).argsort(dim=1)[:, :seen]
                          for generator in self.generators])

    def of(self, sample: int) -> Views:
        """The views of one sample alone."""
        return Views(self.generators[sample:sample + 1], self.count)

    def _between(self, like: torch.Tensor) -> torch.Tensor:
        """A number in -1..1 for each sample."""
        numbers = torch.stack([torch.rand((), generator=generator) for generator in self.generators]) * 2 - 1
        return numbers.to(like).view(-1, *[1] * (like.ndim - 1))

    def _noise(self, like: torch.Tensor) -> torch.Tensor:
        # Drawn on the CPU, so that a seed means the same on every device.
        return torch.stack([torch.randn(like.shape[1:], generator=generator) for generator in self.generators]).to(like)
