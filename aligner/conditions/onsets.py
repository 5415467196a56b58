"""The onset curve of a video of any length, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ..synchrony import differences, onsets_of_differences, reduced


def seen(parts: Iterable[tuple[torch.Tensor, torch.Tensor]], on_screen: torch.Tensor, fps: float) -> torch.Tensor:
    """The onset curve (1, T) of a video that is looked at a few frames at a time.

    parts: numbers of frames (n,), all that are on screen, ascending, and these frames (n, 3, H, W) in 0..1. on_screen:
    (F,), the number of the frame at each moment of a clock of `fps` ticks a second. Where it stays, nothing moves.
    """
    numbers, changes, before = [], [], None
    for indices, frames in parts:
        numbers.append(indices)
        small = reduced(frames[None])
        shown = small if before is None else torch.cat([before, small], dim=1)
        changes.append(differences(shown))
        before = small[:, -1:]
    change = torch.cat(changes, dim=1)
    if not change.shape[1]:
        return onsets_of_differences(change.new_zeros(1, len(on_screen) - 1), fps)
    places = torch.searchsorted(torch.cat(numbers), on_screen)
    moved = places[1:] > places[:-1]
    return onsets_of_differences(torch.where(moved, change[:, places[1:] - 1], 0.0), fps)
