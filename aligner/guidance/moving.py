"""Moving: a candidate comes earlier or later as a whole, so that what it begins meets what it follows.

One run of the network yields a candidate at every shift. Latents are moved in a circle: what leaves at one end comes in
at the other, and the steps that follow mend the seam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from ..generators.base import Generator, Streams
from ..synchrony import TICKS_PER_SECOND
from .objective import Objective, Observed

#: By stream how many latent frames each sample comes later, (B,) int64 on the CPU.
Moves = Mapping[str, torch.Tensor]

#: Losses this close are equal.
_EQUAL = 1e-4


class Mover:
    """Finds and makes moves of up to `longest` seconds of the streams that a generator allows to move.

    clean: clean latents (B, C, T, ...) by stream.
    """

    def __init__(self, denoiser: Generator, clean: Streams, longest: float):
        streams = getattr(denoiser, "movable_streams", ()) if longest > 0 and len(denoiser.segments) == 1 else ()
        self._frames = {stream: clean[stream].shape[2] for stream in streams if stream in clean}
        self._seconds, self._longest = float(denoiser.seconds), longest

    def best(self, objective: Objective, observed: Observed, progress: float) -> dict[str, torch.Tensor]:
        """The moves of the lowest loss; among equals the smallest. Empty where timing does not count."""
        if objective.term is None:
            return {}
        return {
            stream: self._best(stream, objective.term.by_shift(objective.pairs, observed.onsets, stream, progress))
            for stream in self._frames
            if stream in observed.onsets
        }

    def observed(self, observed: Observed, moves: Moves) -> Observed:
        """What is observed after moves: the same meaning at other moments."""
        onsets = dict(observed.onsets)
        for stream, shifts in moves.items():
            onsets[stream] = _rolled(onsets[stream], self._ticks(stream, shifts), 0)
        return replace(observed, onsets=onsets)

    def words(self, moves: Moves) -> str:
        """How far the first sample is moved: ", 0.24 s later"; "" where it stays."""
        seconds = [int(shifts[0]) * self._seconds / self._frames[stream] for stream, shifts in moves.items()]
        return "".join(f", {abs(shift):.2f} s {'later' if shift > 0 else 'earlier'}" for shift in seconds if shift)

    def _best(self, stream: str, losses: torch.Tensor) -> torch.Tensor:
        """losses: (B, T) by ticks. Returns (B,)."""
        frames = self._frames[stream]
        reach = min(int(self._longest * frames / self._seconds + 1e-6), (frames - 1) // 2)
        shifts = torch.arange(-reach, reach + 1)
        shifts = shifts[shifts.abs().argsort(stable=True)]
        # Rounding in the Fourier transform must not decide between equals.
        tried = (losses.cpu()[:, self._ticks(stream, shifts) % losses.shape[1]] / _EQUAL).round()
        return shifts[tried.argsort(dim=1, stable=True)[:, 0]]

    def _ticks(self, stream: str, shifts: torch.Tensor) -> torch.Tensor:
        return (shifts * (self._seconds * TICKS_PER_SECOND / self._frames[stream])).round().long()


def picked_moves(tried: Sequence[Moves], rows: torch.Tensor) -> dict[str, torch.Tensor]:
    """For each sample the moves of its row, (B,)."""
    return {
        stream: torch.stack([moves[stream].expand(len(rows)) for moves in tried]).gather(0, rows[None])[0]
        for stream in tried[0]
    }


def moved(latents: Streams, moves: Moves) -> Streams:
    """Move latents (B, C, T, ...) in time."""
    return latents | {stream: _rolled(latents[stream], shifts, 1) for stream, shifts in moves.items()}


def _rolled(values: torch.Tensor, shifts: torch.Tensor, axis: int) -> torch.Tensor:
    """Roll each sample by its own shift. axis: of a sample."""
    shifts = shifts.expand(len(values))
    return torch.stack([sample.roll(int(shift), axis) for sample, shift in zip(values, shifts, strict=True)])
