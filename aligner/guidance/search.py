"""The search rule: follow several noises for a while, choose the best, and continue with it (arXiv 2501.09732).

It is the default because an independent judge rates its results best. No gradient changes a latent: its results cannot
be adversarial. A funnel chooses several times, of fewer candidates each time (arXiv 2508.12361).

`Search` works on our own denoisers, whose states it holds side by side. `aligner.guidance.rehearsal` plays the same
search on models that sample by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

from .. import settings
from ..errors import AlignerError
from ..generators.base import BackwardPass, Streams
from ..timing.curves import parse_points
from .objective import Comparison, Objective
from .rule import Rule, Run, Scope, State, Unguided
from .selection import best


class Stage(NamedTuple):
    """A choice: after the part `at` of the steps the best `keep` candidates go on. The last stage keeps 1."""

    at: float
    keep: int


def parse_funnel(text: str) -> tuple[Stage, ...]:
    """Parse stages "part of the steps: number", such as 0.1: 8, 0.2: 4. Raises AlignerError for what is none."""
    points = parse_points(text, "a funnel", "part of the steps: number, such as 0.1: 8, 0.2: 4")
    if not all(keep.is_integer() for _, keep in points):
        raise AlignerError(f"The numbers of the funnel {text!r} must be whole.")
    return tuple(Stage(at, int(keep)) for at, keep in points)


class Choice(NamedTuple):
    """A stage in a run: after so many steps the best `keep` candidates go on."""

    steps: int
    keep: int


@dataclass(frozen=True)
class Candidates(State):
    """A search before its choice: one state per noise. Later ones may lack streams that have fewer candidates."""

    states: tuple[State, ...] = ()


@dataclass(frozen=True)
class Search(Rule):
    """Follow several noises, choose after the part `at` of the steps, and go on by the rule `then`.

    candidates: how many noises are tried, by stream; a stream that is not named has one. Streams that depend on each
    other are tried together. at: above 0 and below 1. then: another rule moves the chosen latents on. funnel: earlier
    stages, at which only some candidates go on; their moments ascend and their numbers fall. audio_shift: seconds by
    which candidates are moved in time where their generator allows it, see `moving`; 0 or more. A sound that is silent
    at the choice is passed over unless all are. A long result is chosen segment by segment. Prompts do not count in the
    choice by default: all candidates follow them already.

    Raises AlignerError that names the first setting that cannot work.
    """

    candidates: Mapping[str, int] = field(default_factory=lambda: settings.by_stream("candidates", settings.SEARCH))
    at: float = settings.AT.default
    then: Rule = Unguided()
    comparison: Comparison = Comparison()
    funnel: tuple[Stage, ...] = ()
    audio_shift: float = settings.AUDIO_SHIFT.default

    def __post_init__(self):
        for stream, number in self.candidates.items():
            if not isinstance(number, int) or number < 1:
                raise AlignerError(f"The candidates for {stream} must be a whole number, at least 1, not {number}.")
        if not 0 < self.at < 1:
            raise AlignerError(f"The search must choose after a part of the steps between 0 and 1, not {self.at}.")
        if not (math.isfinite(self.audio_shift) and self.audio_shift >= 0):
            raise AlignerError(f"audio_shift must be 0 seconds or more, not {self.audio_shift}.")
        if isinstance(self.then, Search):
            raise AlignerError("A search cannot be followed by another search. Let a gradient rule follow, or none.")
        object.__setattr__(self, "funnel", tuple(Stage(*stage) for stage in self.funnel))
        if not all(
            0 < first.at < then.at and isinstance(first.keep, int) and first.keep > then.keep
            for first, then in pairwise(self.stages)
        ):
            raise AlignerError(
                f"The funnel {', '.join(f'{at:g}: {keep}' for at, keep in self.funnel)} cannot work. Its moments must "
                f"ascend from above 0 to below {self.at:g}, where the search chooses, and its numbers must fall to 2 "
                "or more, as in 0.1: 8, 0.2: 4."
            )

    def begin(self, run: Run, latents: Streams, prompts: Streams) -> State:
        numbers = self.numbers(run.scope)
        noises = [latents, *(run.draw() for _ in range(1, max(numbers.values())))]
        if len(noises) == 1:
            return self.then.begin(run, latents, prompts)
        candidates = (
            {stream: noise[stream] for stream, number in numbers.items() if k < number}
            for k, noise in enumerate(noises)
        )
        return Candidates(latents, prompts, states=tuple(State(noise, prompts) for noise in candidates))

    def step(self, run: Run, state: State, index: int) -> State:
        if not isinstance(state, Candidates):
            return self.then.step(run, state, index)
        states = tuple(
            run.plain_step(each, index, candidate=number, candidates=len(state.states))
            for number, each in enumerate(state.states)
        )
        keep = dict(self.choices(run.denoiser.steps)).get(index + 1)
        if keep is None:
            return replace(state, states=states)
        chosen = best(run, states, index + 1, run.objective(self), keep, self.audio_shift)
        if keep > 1:
            return replace(state, states=tuple(chosen))
        begun = self.then.begin(run, chosen[0].latents, chosen[0].prompts)
        # A rule of another package may keep a state of another kind.
        return replace(begun, clean=chosen[0].clean) if isinstance(begun, State) else begun

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages in order; the last keeps one candidate."""
        return *self.funnel, Stage(self.at, 1)

    def choices(self, steps: int) -> list[Choice]:
        """The stages in a run of so many steps. Those that fall on one step are one, which keeps the fewest."""
        kept: dict[int, int] = {}
        for stage in self.stages:
            kept[max(1, int(round(stage.at * steps, 6)))] = stage.keep
        return [Choice(*each) for each in kept.items()]

    def choice(self, steps: int) -> int:
        """After how many steps the search chooses its one candidate: at least 1."""
        return self.choices(steps)[-1].steps

    def numbers(self, scope: Scope) -> dict[str, int]:
        """How many candidates each stream has: as many as the most of the streams it depends on, 1 if not compared."""
        compared = scope.objective(self).compared
        return {
            stream: self.most(group) if compared.intersection(group) else 1
            for group in scope.denoiser.coupled_streams
            for stream in group
        }

    def most(self, streams: Iterable[str]) -> int:
        """The most candidates that one of the streams has."""
        return max((self.candidates.get(stream, 1) for stream in streams), default=1)

    def passes(self, scope: Scope) -> int:
        numbers = self.numbers(scope)
        combinations = math.prod(numbers[group[0]] for group in scope.denoiser.coupled_streams)
        steps = scope.denoiser.steps
        return passes(max(numbers.values()), self.choices(steps), steps, combinations)

    def backward(self, streams: Iterable[str]) -> Mapping[str, BackwardPass]:
        return self.then.backward(streams)

    def savings(self) -> Mapping[str, Rule]:
        return {words: replace(self, then=rule) for words, rule in self.then.savings().items()}

    def frugal(self) -> Rule:
        return replace(self, then=self.then.frugal())

    def without_prompts(self) -> Rule:
        return replace(self, then=self.then.without_prompts())

    def require_effect(self, streams: Iterable[str], steps: int) -> None:
        streams = tuple(streams)
        if self.most(streams) > 1:
            if self.then.guides:
                self.then.require_effect(streams, steps)
        elif not self.then.guides:
            raise AlignerError(
                f"The search has one candidate for {' and '.join(streams)}, and nothing to choose from. Try several "
                "candidates, let a gradient rule follow, or turn guidance off."
            )
        else:
            self.then.require_effect(streams, steps)

    def require_reach(self, scope: Scope, first: int = 0) -> None:
        if max(self.numbers(scope).values()) > 1:
            first = self.choice(scope.denoiser.steps)
            self._require_choice(scope, first)
        elif not self.then.guides:
            searched = " and ".join(sorted(name for name in scope.denoiser.streams if self.most([name]) > 1))
            compared = " and ".join(sorted(scope.objective(self).compared))
            raise AlignerError(
                f"The search chooses nothing: it tries several noises for {searched}, but compares only {compared}. "
                "Try several candidates for what is compared, compare what is tried, or turn guidance off."
            )
        self.then.require_reach(scope, first)

    def _require_choice(self, scope: Scope, first: int) -> None:
        """Raise AlignerError where all candidates would look alike at the choice, or in one of the segments."""
        denoiser, objective = scope.denoiser, scope.objective(self)
        for choice in self.choices(denoiser.steps):
            require_weight(objective, choice.steps / denoiser.steps)
        for stream in sorted(objective.compared) if len(denoiser.segments) > 1 else ():
            spans = objective.spans.get(stream)
            for segment in denoiser.segments:
                if spans and not any(map(segment.share, spans)):
                    raise AlignerError(
                        f"Candidates are chosen segment by segment, but at {segment} no clip is compared: clips "
                        f"{self.comparison.clips} leave gaps in so long a result. Choose clips short or seconds."
                    )


def passes(candidates: int, choices: Sequence[Choice], steps: int, combinations: int | None = None) -> int:
    """How many steps a run with a search takes in all; steps that are played from a record are not taken.

    combinations: how many results candidates make, where streams are chosen for each other; None: as many.
    """
    return rehearsed_steps(candidates, choices, combinations) + steps - choices[-1].steps


def rehearsed_steps(candidates: int, choices: Sequence[Choice], combinations: int | None = None) -> int:
    """How many steps candidates take up to the last choice."""
    following, before, taken = candidates, 0, 0
    for choice in choices:
        taken += following * (choice.steps - before)
        following, before = min(choice.keep, combinations or candidates), choice.steps
    return taken


def require_weight(objective: Objective, progress: float) -> None:
    """Raise AlignerError where all candidates look alike after this part of denoising."""
    if not any(pair.weight_at(progress) for pair in objective.pairs):
        raise AlignerError(
            f"The search chooses after {progress:.0%} of denoising, but there the schedules of all conditions are 0. "
            "Raise one there, or choose at another moment."
        )
