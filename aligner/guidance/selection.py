"""Selection: the best of several states of a search, in meaning, in time and for each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product, repeat
from typing import Any, NamedTuple

import torch
from PIL.Image import Image

from ..binders.base import Embedding
from ..generators.signals import silences
from .choosing import Take, any_silent, mutual, pictured, ranking
from .moving import Mover, Moves, picked
from .objective import Alignment, Objective, Observed
from .rule import Run, State
from .splicing import spliced

#: Groups of streams that depend on each other.
_Groups = Sequence[Sequence[str]]


class _Rendered(NamedTuple):
    """A candidate as it looks and sounds: what is observed, and by stream its pictures.

    movable: signals that may be moved; what they mean is observed after that. silent: by segment and stream which
    samples (B,) are silent.
    """

    observed: Observed
    movable: Mapping[str, Any]
    silent: Sequence[Mapping[str, torch.Tensor]]
    pictures: Mapping[str, Image]


def choose(run: Run, candidates: Sequence[State], steps: int, objective: Objective) -> State:
    """The best of several states after so many steps, see `best`."""
    return best(run, candidates, steps, objective, 1)[0]


@torch.no_grad()
def best(
    run: Run, candidates: Sequence[State], steps: int, objective: Objective, keep: int, audio_shift: float = 0.0
) -> list[State]:
    """Choose among states after so many steps, sample by sample, and report the choice. Returns the best first.

    Streams that do not depend on each other are chosen for each other: any candidate of one may meet any candidate of
    another. Each segment of a long result is chosen by itself. audio_shift: seconds by which the last one may be
    moved in time. Raises AlignerError where an alignment is not finite.
    """
    denoiser = run.scope.denoiser
    progress, groups, segments = steps / denoiser.steps, denoiser.coupled_streams, denoiser.segments
    # 1. Observe the clean estimate of every candidate: when it begins, and of what cannot be moved also what it means.
    mover = Mover(denoiser, candidates[0].clean, audio_shift, objective, progress)
    rendered = [_rendered(run, each, objective, mover.streams) for each in candidates]
    # 2. Combine: for each group of coupled streams the number of the candidate that it comes from.
    numbered = [[k for k, each in enumerate(candidates) if group[0] in each.latents] for group in groups]
    combinations = list(product(*numbered))
    combined = [_combined(rendered, groups, numbers) for numbers in combinations]
    # 3. Move every combination to where it is in sync best, and see what it means there.
    moves = [mover.best(each.observed) for each in combined]
    embedded = _Embedded(objective, mover)
    moved = [embedded.moved(each, move) for each, move in zip(combined, moves)]
    tried = [objective.alignment(each, progress) for each in moved]
    # 4. Rank the combinations by how they prefer each other, segment by segment; silence comes last.
    rankings = []
    for number, segment in enumerate(segments):
        here = tried if len(segments) == 1 else [objective.alignment(each, progress, within=segment) for each in moved]
        losses = mutual(here, list(map(len, numbered)))
        rankings.append(ranking(losses, [any_silent(each.silent[number]) for each in combined]))
    # 5. Build results from the best of each segment, the second best, and so on. The one that goes on is moved.
    origins = torch.tensor(combinations)
    states = [
        spliced(
            candidates, [_by_stream(groups, origins[rows[place]].T) for rows in rankings], denoiser, steps, segments
        )
        for place in range(min(keep, len(combinations)))
    ]
    pieces: Moves = {}
    if keep == 1:
        observed, whole = picked([each.observed for each in combined], moves, rankings[0][0])
        pieces = mover.by_piece(observed, whole)
        states = [mover.moved(states[0], pieces, steps)]
    # 6. Report: what was chosen, as it goes on.
    if keep == 1:
        changed = len(segments) > 1 or any(shifts.any() for shifts in pieces.values())
    else:
        changed = len(segments) > 1 or any(shifts.any() for each in moves for shifts in each.values())
    alignment = (
        objective(run.render(states[0].clean), progress).detached() if changed else _picked(tried, rankings[0][0])
    )
    # Before the last choice nothing is moved yet.
    words = map(mover.words, moves) if keep == 1 else repeat("")
    takes = [
        Take(_label(numbers) + moved_by, each, _never_heard(view), tuple(view.pictures.values()))
        for numbers, moved_by, each, view in zip(combinations, words, tried, combined)
    ]
    run.report_choice(steps - 1, states[0].clean, alignment, takes, chosen=int(rankings[0][0][0]))
    return states


def _rendered(run: Run, candidate: State, objective: Objective, movable: Sequence[str]) -> _Rendered:
    signals = run.render(candidate.clean)
    # A signal of another package may not know how to move.
    apart = {name: each for name, each in signals.items() if name in movable and hasattr(each, "moved")}
    still = {name: each for name, each in signals.items() if name not in apart}
    silent = [silences(signals, segment) for segment in run.scope.denoiser.segments]
    observed = Observed(objective.embedded(still), objective.onsets(signals, circular=tuple(apart)))
    return _Rendered(observed, apart, silent, pictured(signals))


class _Embedded:
    """Embeds signals where they are moved to. Combinations that share a signal and its move share the embedding."""

    def __init__(self, objective: Objective, mover: Mover):
        self._objective, self._mover = objective, mover
        self._known: dict[tuple, dict[str, Embedding]] = {}

    def moved(self, candidate: _Rendered, moves: Moves) -> Observed:
        """What a candidate means and when it begins after moves."""
        embeddings = dict(candidate.observed.embeddings)
        for stream, signal in candidate.movable.items():
            shifts = moves.get(stream)
            key = stream, id(signal), None if shifts is None else tuple(shifts.tolist())
            if key not in self._known:
                shown = signal if shifts is None else signal.moved(self._mover.seconds_of(stream, shifts))
                self._known[key] = self._objective.embedded({stream: shown})
            embeddings |= self._known[key]
        return replace(self._mover.observed(candidate.observed, moves), embeddings=embeddings)


def _combined(rendered: Sequence[_Rendered], groups: _Groups, numbers: Sequence[int]) -> _Rendered:
    """The candidate that takes the streams of each group from the candidate of its number."""
    origins = _by_stream(groups, [rendered[number] for number in numbers])

    def of_each(part):
        return {stream: part(each)[stream] for stream, each in origins.items() if stream in part(each)}

    return _Rendered(
        Observed(of_each(lambda each: each.observed.embeddings), of_each(lambda each: each.observed.onsets)),
        of_each(lambda each: each.movable),
        [of_each(lambda each, n=number: each.silent[n]) for number in range(len(rendered[0].silent))],
        of_each(lambda each: each.pictures),
    )


def _never_heard(candidate: _Rendered) -> torch.Tensor:
    """(B,): which samples are silent in all segments."""
    return torch.stack([any_silent(each) for each in candidate.silent]).all(dim=0)


def _by_stream(groups: _Groups, values):
    """Spread one value per group of coupled streams over the streams of the group."""
    return {stream: value for group, value in zip(groups, values) for stream in group}


def _label(numbers: Sequence[int]) -> str:
    """What people call a combination: "candidate 3 + 1"."""
    return "candidate " + " + ".join(str(number + 1) for number in dict.fromkeys(numbers))


def _picked(alignments: Sequence[Alignment], rows: torch.Tensor) -> Alignment:
    """For each sample the alignment of its row, (B,)."""

    def picked(values):
        return torch.stack(values).gather(0, rows.to(values[0].device)[None])[0]

    def picked_of(name):
        several = [getattr(alignment, name) for alignment in alignments]
        return {label: picked([each[label] for each in several]) for label in several[0]}

    return replace(
        alignments[0],
        loss=picked([alignment.loss for alignment in alignments]),
        scores=picked_of("scores"),
        synchrony=picked_of("synchrony"),
        mutual=0.0,
    )
