"""Onset curves of recordings of any length, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ..parts import in_parts
from ..synchrony import TICKS_PER_SECOND, differences, heard_onsets, onsets_of_differences

#: Seconds of sound that are heard together, and those around them that an onset may depend on.
_HEARD, _AROUND = 60, 1


def heard(waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """The onset curve (1, T) of a sound (1, n): that of `heard_onsets`, part by part."""
    seconds = -(-waveform.shape[1] // sample_rate)
    curves = []
    for first in in_parts(range(0, seconds, _HEARD)):
        begin = max(0, first - _AROUND)
        part = waveform[:, begin * sample_rate : (first + _HEARD + _AROUND) * sample_rate]
        own = slice((first - begin) * TICKS_PER_SECOND, (first - begin + _HEARD) * TICKS_PER_SECOND)
        curves.append(heard_onsets(part, sample_rate)[:, own])
    return torch.cat(curves, dim=1)


def seen(parts: Iterable[tuple[torch.Tensor, torch.Tensor]], on_screen: torch.Tensor, fps: float) -> torch.Tensor:
    """The onset curve (1, T) of a video that is looked at a few frames at a time.

    parts: numbers of frames (n,), all that are on screen, ascending, and these frames (n, 3, H, W) in 0..1. on_screen:
    (F,), the number of the frame at each moment of a clock of `fps` ticks a second. Where it stays, nothing moves.
    """
    numbers, changes, before = [], [], None
    for indices, frames in parts:
        numbers.append(indices)
        shown = frames if before is None else torch.cat([before, frames])
        changes.append(differences(shown[None]))
        before = frames[-1:]
    change = torch.cat(changes, dim=1)
    places = torch.searchsorted(torch.cat(numbers), on_screen)
    moved = places[1:] > places[:-1]
    return onsets_of_differences(torch.where(moved, change[:, places[1:] - 1], 0.0), fps)
