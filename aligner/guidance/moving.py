"""Moving: a candidate comes earlier or later, so that what it begins meets what it follows.

One run of the network yields a candidate at every shift. The chosen one is moved again, each piece of about a second by
itself, so that a sound with one event can have it twice. Latents are moved in a circle: what leaves at one end comes in
at the other. The steps that follow mend the seams.
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

#: By stream how many latent frames each sample comes later, (B,) int64; a stream that is not named stays.
Moves = Mapping[str, torch.Tensor]

#: Seconds of a piece, about.
_PIECE = 1.0
#: How much synchrony a move of one piece alone must win: its seams may change what is heard.
_SEAM = 0.15
#: Differences in synchrony below this do not count: rounding must not decide.
_EQUAL = 1e-4


class _Moved(NamedTuple):
    """A stream after moves: how many latent frames each sample comes later, (B,), and its onsets (B, T) then."""

    shifts: torch.Tensor
    onsets: torch.Tensor


class Mover:
    """Finds and makes moves of up to `longest` seconds of the streams that a generator allows to move.

    clean: clean latents (B, C, T, ...) by stream. progress: the part of denoising that has passed, 0..1.
    """

    def __init__(self, denoiser: Generator, clean: Streams, longest: float, objective: Objective, progress: float):
        streams = getattr(denoiser, "movable_streams", ()) if longest > 0 and len(denoiser.segments) == 1 else ()
        self._denoiser, self._longest, self._seconds = denoiser, longest, float(denoiser.seconds)
        self._objective, self._progress = objective, progress
        self._frames = {stream: clean[stream].shape[2] for stream in streams if stream in clean}
        self._pieces = _pieces(self._seconds)

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that may be moved."""
        return tuple(self._frames)

    def seconds_of(self, stream: str, shifts: torch.Tensor) -> list[float]:
        """How much later each sample (B,) comes."""
        return [shift * self._seconds / self._frames[stream] for shift in shifts.tolist()]

    def best(self, observed: Observed) -> dict[str, torch.Tensor]:
        """The moves of whole streams that are in sync best."""
        moves = {}
        for stream in self._frames:
            if stream in observed.onsets:
                onsets = observed.onsets[stream]
                still = _Moved(torch.zeros(len(onsets), dtype=torch.int64), onsets)
                moves[stream] = self._better(stream, observed, still).shifts
        return moves

    def by_piece(self, observed: Observed, moves: Moves) -> Moves:
        """Start from moves of whole streams, and move one piece after the other: (B, P) by stream."""
        shifts = {}
        for stream, whole in moves.items():
            onsets, pieces = self._heard(stream, observed.onsets[stream], whole), []
            for span in self._spans():
                piece, onsets = self._better(stream, observed, _Moved(whole, onsets), span, _SEAM)
                pieces.append(piece)
            shifts[stream] = torch.stack(pieces, dim=1)
        return shifts

    def _better(
        self, stream: str, observed: Observed, moved: _Moved, span: slice = slice(None), worth: float = 0.0
    ) -> _Moved:
        """Move the ticks of a span to where they are in sync best. worth: by how much synchrony must rise."""
        tried, rows = self._tried(stream), torch.arange(len(moved.shifts))
        # What is moved so far comes first: among equals it stays.
        variants = moved.onsets.repeat(len(tried) + 1, 1, 1)
        for variant, shift in zip(variants[1:], tried):
            variant[:, span] = observed.onsets[stream].roll(self._ticks(stream, shift), dims=1)[:, span]
        apart = self._objective.out_of_sync(observed, stream, variants, self._progress).cpu()
        apart[1:] += worth
        best = (apart / _EQUAL).round().argsort(dim=0, stable=True)[0]
        shifts = torch.cat([moved.shifts[None], torch.tensor(tried)[:, None].expand(-1, len(rows))])
        return _Moved(shifts[best, rows], variants[best.to(variants.device), rows.to(variants.device)])

    def observed(self, observed: Observed, moves: Moves) -> Observed:
        """What is observed after moves: other beginnings."""
        onsets = {stream: self._heard(stream, observed.onsets[stream], shifts) for stream, shifts in moves.items()}
        return replace(observed, onsets={**observed.onsets, **onsets})

    def _heard(self, stream: str, onsets: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
        """Onsets (B, T), each sample moved by its shift."""
        return torch.stack(
            [each.roll(self._ticks(stream, shift), 0) for each, shift in zip(onsets, shifts.tolist(), strict=True)]
        )

    def moved(self, state: State, shifts: Mapping[str, torch.Tensor], steps: int) -> State:
        """Move the pieces of a state after so many steps, with a fade where neighbours move apart.

        shifts: by stream (B, P), as `by_piece` returns them.
        """
        if not shifts:
            return state
        pieces = range(len(self._pieces))
        states = [
            replace(state, **{part: _rolled(getattr(state, part), shifts, piece) for part in ("latents", "clean")})
            for piece in pieces
        ]
        still = torch.zeros(len(next(iter(state.latents.values()))), dtype=torch.int64)
        chosen = [
            {stream: _first_alike(shifts[stream], piece) if stream in shifts else still for stream in state.clean}
            for piece in pieces
        ]
        return spliced(states, chosen, self._denoiser, steps, self._pieces)

    def words(self, moves: Moves) -> str:
        """How far the first sample is moved: ", +0.24 s"; "" where it stays."""
        seconds = [self.seconds_of(stream, shifts)[0] for stream, shifts in moves.items()]
        return "".join(f", {each:+.2f} s" for each in seconds if each)

    def _tried(self, stream: str) -> list[int]:
        """The shifts that are tried, in latent frames, the smallest first."""
        frames = self._frames[stream]
        reach = min(int(self._longest * frames / self._seconds + 1e-6), (frames - 1) // 2)
        return sorted(range(-reach, reach + 1), key=abs)

    def _ticks(self, stream: str, shift: int) -> int:
        return round(shift * self._seconds * TICKS_PER_SECOND / self._frames[stream])

    def _spans(self) -> list[slice]:
        """The ticks of each piece."""
        edges = [round(piece.start * TICKS_PER_SECOND) for piece in self._pieces]
        return [slice(*span) for span in zip(edges, [*edges[1:], None])]


def picked(tried: Sequence[Observed], moves: Sequence[Moves], rows: torch.Tensor) -> tuple[Observed, Moves]:
    """For each sample the onsets and moves of its row, (B,). Without moves nothing is observed."""
    onsets = {
        name: _picked([each.onsets[name] for each in tried], rows) for name in (tried[0].onsets if moves[0] else ())
    }
    return Observed({}, onsets), {stream: _picked([each[stream] for each in moves], rows) for stream in moves[0]}


def _picked(values: Sequence[torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    return torch.stack([values[row][sample] for sample, row in enumerate(rows.tolist())])


def _pieces(seconds: float) -> tuple[Interval, ...]:
    count = max(1, int(seconds / _PIECE + 1e-6))
    edges = [seconds * number / count for number in range(count)]
    return tuple(Interval(start, end) for start, end in zip(edges, [*edges[1:], None]))


def _rolled(latents: Streams, shifts: Mapping[str, torch.Tensor], piece: int) -> Streams:
    """Latents (B, C, T, ...), each sample moved as a whole as this piece of it moves."""
    return latents | {
        stream: torch.stack(
            [sample.roll(shift, 1) for sample, shift in zip(latents[stream], each[:, piece].tolist(), strict=True)]
        )
        for stream, each in shifts.items()
    }


def _first_alike(shifts: torch.Tensor, piece: int) -> torch.Tensor:
    """(B,): the number of the first piece that moves like this one. Between pieces that move alike is no seam."""
    return (shifts == shifts[:, piece : piece + 1]).int().argmax(dim=1)
