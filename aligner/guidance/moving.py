"""Moving: pieces of a candidate come earlier or later, so that what they begin meets what they follow.

One run of the network yields a candidate at every shift. Each piece of about a second is moved by itself, so that a
sound with one event can have it twice. Latents are moved in a circle: what leaves at one end comes in at the other. The
steps that follow mend the seams.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from ..generators.base import Generator, Streams
from ..synchrony import TICKS_PER_SECOND
from ..timing.intervals import Interval
from .objective import Objective, Observed
from .rule import State
from .splicing import spliced


class Move(NamedTuple):
    """How a stream is moved.

    shifts: how many latent frames each piece of each sample comes later, (B, P) int64. onsets: those of the moved
    stream, (B, T).
    """

    shifts: torch.Tensor
    onsets: torch.Tensor


#: By stream; a stream that is not named stays.
Moves = Mapping[str, Move]

#: Seconds of a piece, about.
_PIECE = 1.0
#: Losses this close are equal. Rounding must not decide between them.
_EQUAL = 1e-4


class Mover:
    """Finds and makes moves of up to `longest` seconds of the streams that a generator allows to move.

    clean: clean latents (B, C, T, ...) by stream.
    """

    def __init__(self, denoiser: Generator, clean: Streams, longest: float):
        streams = getattr(denoiser, "movable_streams", ()) if longest > 0 and len(denoiser.segments) == 1 else ()
        self._denoiser, self._longest, self._seconds = denoiser, longest, float(denoiser.seconds)
        self._frames = {stream: clean[stream].shape[2] for stream in streams if stream in clean}
        self._pieces = _pieces(self._seconds)

    def best(self, objective: Objective, observed: Observed, progress: float) -> dict[str, Move]:
        """Moves that lower the loss: first of all pieces together, then of one after the other."""
        movable = [stream for stream in self._frames if stream in observed.onsets]
        return {stream: self._best(stream, objective, observed, progress) for stream in movable}

    def _best(self, stream: str, objective: Objective, observed: Observed, progress: float) -> Move:
        onsets, tried = observed.onsets[stream], self._tried(stream)
        rolled = torch.stack([onsets.roll(ticks, dims=1) for ticks in self._ticks(stream, tried)])
        shifts = torch.zeros(len(onsets), len(self._pieces), dtype=torch.int64)
        moved = onsets
        every = [(slice(None), slice(None))]
        for pieces, span in every + (self._spans() if len(self._pieces) > 1 else []):
            # What is moved so far comes first: among equals it stays.
            variants = moved.repeat(len(tried) + 1, 1, 1)
            variants[1:, :, span] = rolled[:, :, span]
            losses = objective.timing_losses(observed, stream, variants, progress).cpu()
            best = (losses / _EQUAL).round().argsort(dim=0, stable=True)[0]
            rows = torch.arange(len(onsets))
            moved = variants[best.to(variants.device), rows.to(variants.device)]
            for row, number in enumerate(best.tolist()):
                if number:
                    shifts[row, pieces] = tried[number - 1]
        return Move(shifts, moved)

    def observed(self, observed: Observed, moves: Moves) -> Observed:
        """What is observed after moves: the same meaning at other moments."""
        return replace(observed, onsets={**observed.onsets, **{name: move.onsets for name, move in moves.items()}})

    def moved(self, state: State, moves: Moves, steps: int) -> State:
        """Move a state after so many steps, where neighbouring pieces move apart with a fade."""
        if not moves:
            return state
        pieces = range(len(self._pieces))
        states = [
            replace(state, **{part: _rolled(getattr(state, part), moves, piece) for part in ("latents", "clean")})
            for piece in pieces
        ]
        still = torch.zeros(len(next(iter(state.latents.values()))), dtype=torch.int64)
        return spliced(
            states,
            [
                {
                    stream: _first_alike(moves[stream].shifts, piece) if stream in moves else still
                    for stream in state.clean
                }
                for piece in pieces
            ],
            self._denoiser,
            steps,
            self._pieces,
        )

    def words(self, moves: Moves) -> str:
        """How far the pieces of the first sample are moved: ", +0.24 s" or ", +0.24 -0.08 s"; "" where all stay."""
        words = []
        for stream, move in moves.items():
            seconds = [shift * self._seconds / self._frames[stream] for shift in move.shifts[0].tolist()]
            if any(seconds):
                alike = seconds[:1] if len(set(seconds)) == 1 else seconds
                words.append(f", {' '.join(f'{each:+.2f}' for each in alike)} s")
        return "".join(words)

    def _tried(self, stream: str) -> list[int]:
        """The shifts that are tried, in latent frames, the smallest first."""
        frames = self._frames[stream]
        reach = min(int(self._longest * frames / self._seconds + 1e-6), (frames - 1) // 2)
        return sorted(range(-reach, reach + 1), key=abs)

    def _ticks(self, stream: str, shifts: Sequence[int]) -> list[int]:
        return [round(shift * self._seconds * TICKS_PER_SECOND / self._frames[stream]) for shift in shifts]

    def _spans(self) -> list[tuple[slice, slice]]:
        """The number of each piece and its ticks."""
        edges = [round(piece.start * TICKS_PER_SECOND) for piece in self._pieces]
        return [(slice(number, number + 1), slice(*span)) for number, span in enumerate(zip(edges, [*edges[1:], None]))]


def picked(tried: Sequence[Moves], rows: torch.Tensor) -> dict[str, Move]:
    """For each sample the moves of its row, (B,)."""
    found = {}
    for stream in tried[0]:
        moves = [each[stream] for each in tried]
        of = range(len(rows))
        shifts, onsets = (
            torch.stack([getattr(moves[rows[k]], part)[min(k, len(moves[0].shifts) - 1)] for k in of])
            for part in ("shifts", "onsets")
        )
        found[stream] = Move(shifts, onsets)
    return found


def _pieces(seconds: float) -> tuple[Interval, ...]:
    count = max(1, int(seconds / _PIECE + 1e-6))
    edges = [seconds * number / count for number in range(count)]
    return tuple(Interval(start, end) for start, end in zip(edges, [*edges[1:], None]))


def _rolled(latents: Streams, moves: Moves, piece: int) -> Streams:
    """Latents (B, C, T, ...), each sample moved as a whole as this piece of it moves."""
    return latents | {
        stream: torch.stack(
            [sample.roll(shift, 1) for sample, shift in zip(latents[stream], move.shifts[:, piece].tolist())]
        )
        for stream, move in moves.items()
    }


def _first_alike(shifts: torch.Tensor, piece: int) -> torch.Tensor:
    """(B,): the number of the first piece that moves like this one. Between pieces that move alike is no seam."""
    return (shifts == shifts[:, piece : piece + 1]).int().argmax(dim=1)
