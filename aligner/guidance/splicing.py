"""Latents put together of several candidates, piece by piece in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from ..generators.base import Denoiser, Streams

#: How wide two pieces are faded into each other, as a part of the shortest: about what windows share.
_FADE = 1 / 3


class Estimate(NamedTuple):
    """Latents between two steps, and what they will be by the last of them."""

    latents: Streams
    clean: Streams


class _Parts(NamedTuple):
    """One sample of a stream, each (C, T, ...): the latent, what it is without its noise, and the clean estimate."""

    latent: torch.Tensor
    signal: torch.Tensor
    clean: torch.Tensor


def spliced(
    candidates: Sequence[Estimate], chosen: Sequence[Mapping[str, torch.Tensor]], denoiser: Denoiser, steps: int
) -> Estimate:
    """Streams of which every piece of sample b is that of candidate chosen[piece][stream][b].

    Where the piece of one candidate ends and that of another begins they are faded into each other. steps: how many
    have been taken.
    """
    signals = [
        denoiser.noised(each.clean, {name: torch.zeros_like(clean) for name, clean in each.clean.items()}, steps)
        for each in candidates
    ]
    latents, clean = {}, {}
    for stream in chosen[0]:
        shares = _shares(denoiser, next(each.clean[stream] for each in candidates if stream in each.clean).shape[2])
        rows = []
        for sample, numbers in enumerate(zip(*(each[stream].tolist() for each in chosen))):
            parts = {
                k: _Parts(
                    *(streams[stream][sample] for streams in (candidates[k].latents, signals[k], candidates[k].clean))
                )
                for k in sorted(set(numbers))
            }
            rows.append(
                _faded(parts, {k: sum(share for share, number in zip(shares, numbers) if number == k) for k in parts})
            )
        latents[stream], clean[stream] = map(torch.stack, zip(*rows))
    return Estimate(latents, clean)


def _faded(parts: Mapping[int, _Parts], weights: Mapping[int, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """A latent and its clean estimate. weights: (T,), how much of each moment is whose; 1 in all."""
    first = next(iter(parts.values()))
    if len(parts) == 1:
        return first.latent, first.clean
    # Of the mean of noises, which know nothing of each other, less is left than the denoiser expects.
    whole = sum(weight.square() for weight in weights.values()).sqrt()
    signal, clean = (
        sum(getattr(part, name) * _over_time(weights[k], part.latent) for k, part in parts.items())
        for name in ("signal", "clean")
    )
    noise = sum((part.latent - part.signal) * _over_time(weights[k] / whole, part.latent) for k, part in parts.items())
    # What a mask keeps is the same in all, down to its noise.
    same = torch.stack([part.latent == first.latent for part in parts.values()]).all(dim=0)
    return torch.where(same, first.latent, signal + noise), clean


def _shares(denoiser: Denoiser, count: int) -> list[torch.Tensor]:
    """How much of each of `count` moments every piece gives: 1 but at its ends, where neighbours share a fade."""
    edges = torch.tensor([piece.start for piece in denoiser.pieces[1:]]) * (count / float(denoiser.seconds))
    bounds = torch.cat([edges.new_zeros(1), edges, edges.new_full((1,), count)])
    width = bounds.diff().min() * _FADE
    begun = [((torch.arange(count) + 0.5 - edge) / width + 0.5).clamp(0, 1) for edge in edges]
    return [before - after for before, after in zip([torch.ones(count), *begun], [*begun, torch.zeros(count)])]


def _over_time(weights: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
    """(T,) weights to be multiplied with a latent (C, T, ...)."""
    return weights.to(latent).view(-1, *[1] * (latent.ndim - 2))
