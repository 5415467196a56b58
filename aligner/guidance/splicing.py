"""Splicing: one result from segments of several candidates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import torch

from ..generators.base import Generator
from ..timing.intervals import Interval
from .rule import State

#: Width of the fade between two segments, as a part of the shortest segment: about what windows share.
_FADE = 1 / 3


class _Parts(NamedTuple):
    """One sample of a stream, each (C, T, ...): the noisy latent, its signal without the noise, the clean estimate."""

    latent: torch.Tensor
    signal: torch.Tensor
    clean: torch.Tensor


def spliced(
    candidates: Sequence[State],
    chosen: Sequence[Mapping[str, torch.Tensor]],
    denoiser: Generator,
    steps: int,
    segments: Sequence[Interval],
) -> State:
    """Build one result from several candidates: sample b takes each segment from candidate chosen[segment][stream][b].

    chosen: by segment and stream the numbers of candidates, (B,). steps: how many have been taken. Where neighbouring
    segments come from different candidates, they are faded into each other.
    """
    signals = [
        denoiser.noised(each.clean, {name: torch.zeros_like(clean) for name, clean in each.clean.items()}, steps)
        for each in candidates
    ]
    latents, clean = {}, {}
    for stream in chosen[0]:
        shares = _shares(
            segments,
            float(denoiser.seconds),
            next(each.clean[stream] for each in candidates if stream in each.clean).shape[2],
        )
        rows = []
        for sample, numbers in enumerate(zip(*(each[stream].tolist() for each in chosen))):
            parts = {
                k: _Parts(
                    *(streams[stream][sample] for streams in (candidates[k].latents, signals[k], candidates[k].clean))
                )
                for k in sorted(set(numbers))
            }
            weights = {k: _sum(share for share, number in zip(shares, numbers) if number == k) for k in parts}
            rows.append(_faded(parts, weights))
        latents[stream], clean[stream] = map(torch.stack, zip(*rows))
    return State(latents, candidates[0].prompts, clean)


def _faded(parts: Mapping[int, _Parts], weights: Mapping[int, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Average a latent and its clean estimate. weights: by candidate (T,), the share of each moment; they sum to 1."""
    first = next(iter(parts.values()))
    if len(parts) == 1:
        return first.latent, first.clean
    # Averaging independent noises lowers their variance; divide by the norm of the weights to restore it.
    norm = _sum(weight.square() for weight in weights.values()).sqrt()
    signal, clean = (
        _sum(getattr(part, name) * _over_time(weights[k], part.latent) for k, part in parts.items())
        for name in ("signal", "clean")
    )
    noise = _sum((part.latent - part.signal) * _over_time(weights[k] / norm, part.latent) for k, part in parts.items())
    # What a mask keeps is the same in all candidates, its noise included.
    same = torch.stack([part.latent == first.latent for part in parts.values()]).all(dim=0)
    return torch.where(same, first.latent, signal + noise), clean


def _shares(segments: Sequence[Interval], seconds: float, count: int) -> list[torch.Tensor]:
    """The share of each segment in each of `count` moments, (count,): 1, but neighbours share a fade at their edge."""
    edges = torch.tensor([segment.start for segment in segments[1:]]) * (count / seconds)
    bounds = torch.cat([edges.new_zeros(1), edges, edges.new_full((1,), count)])
    width = bounds.diff().min() * _FADE
    begun = [((torch.arange(count) + 0.5 - edge) / width + 0.5).clamp(0, 1) for edge in edges]
    return [before - after for before, after in zip([torch.ones(count), *begun], [*begun, torch.zeros(count)])]


def _sum(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    return reduce(torch.add, tensors)


def _over_time(weights: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
    """(T,) weights in the shape that multiplies a latent (C, T, ...)."""
    return weights.to(latent).view(-1, *[1] * (latent.ndim - 2))
