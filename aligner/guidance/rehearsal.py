"""Rehearsals: the search for models that sample by themselves, such as a ComfyUI MODEL or a diffusers pipeline.

Such a model runs a sampler of its own, and nobody can hold its state. So a candidate is followed for a while, judged by
its clean estimate and stopped, and the best is played again from what was recorded. It needs a decoder and no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import torch

from ..errors import AlignerError
from ..generators.signals import silences
from .choosing import Take, any_silent, pictured, ranking
from .objective import Objective
from .search import Choice, Search, require_weight

#: A schedule of so few steps belongs to a distilled model: its estimate is nearly finished after so many steps.
_FEW_STEPS, _SEEN_AFTER = 8, 2


class Player(Protocol):
    """What plays candidates. A candidate is a number; the same number gives the same result."""

    @property
    def steps(self) -> int:
        """How many steps a whole run has."""

    def follow(self, candidate: int, until: int) -> Mapping[str, Any]:
        """Play a candidate for its first `until` steps and stop. Returns the signals of its clean estimate, by stream.

        What the model predicts is recorded. A candidate that was followed before is played from its record.
        """

    def forget(self, candidate: int) -> None:
        """Drop the record of a candidate."""

    def finish(self, candidate: int) -> Any:
        """Play a candidate to its end, from its record as far as there is one. Returns the result."""


@dataclass(frozen=True)
class RehearsedOutcome:
    """What a player makes, see `aligner.generators.base.Outcome`."""

    streams: tuple[str, ...]
    seconds: Fraction
    device: torch.device


@dataclass(frozen=True)
class Rehearsed:
    """What rehearsals found. takes: of every candidate the last, in their order. chosen: the number of the best."""

    takes: Sequence[Take]
    choices: Sequence[Choice]
    chosen: int

    @property
    def best(self) -> Take:
        return self.takes[self.chosen]


@torch.no_grad()
def rehearse(
    player: Player,
    candidates: int,
    choices: Sequence[Choice],
    objective: Objective,
    on_take: Callable[[int, Take], None] = lambda candidate, take: None,
) -> Rehearsed:
    """Follow candidates from choice to choice and find the best. A batch is chosen as a whole, by its mean loss.

    choices: see `choices_of`. on_take: called with every candidate that was judged. Raises AlignerError where an
    alignment is not finite; whatever the player or on_take raises ends the search.
    """
    takes: dict[int, Take] = {}
    going = list(range(candidates))
    for choice in choices:
        kept: list[int] = []
        for candidate in going:
            # 1. Follow one candidate, and judge what it will become.
            signals = player.follow(candidate, choice.steps)
            takes[candidate] = _judged(candidate, signals, objective, choice.steps / player.steps)
            on_take(candidate, takes[candidate])
            # 2. Keep the best so far. At any time few records are held.
            kept.append(candidate)
            for dropped in ordered({each: takes[each] for each in kept})[choice.keep :]:
                kept.remove(dropped)
                player.forget(dropped)
        going = kept
    return Rehearsed([takes[candidate] for candidate in range(candidates)], choices, going[0])


def choices_of(search: Search, steps: int, *, unfinished: bool = False) -> list[Choice]:
    """When a search chooses in a run of so many steps.

    unfinished: the run ends with noise, as that of the first of two experts does. Its last step is then the moment of
    choice. A run of 8 steps or fewer is chosen after 2 at the latest.
    """
    if unfinished:
        last = steps
    else:
        last = min(search.choice(steps), _SEEN_AFTER) if steps <= _FEW_STEPS else search.choice(steps)
    earlier = [choice for choice in search.choices(steps)[:-1] if choice.steps < last]
    return [*earlier, Choice(last, 1)]


def require_choice(search: Search, objective: Objective, choices: Sequence[Choice], steps: int) -> int:
    """The number of candidates that are tried. Raises AlignerError where the search would choose nothing."""
    candidates = search.most(objective.compared)
    if candidates == 1 and not search.then.guides:
        raise AlignerError(
            f"The search has one candidate for {' and '.join(sorted(objective.compared))}, and nothing to choose from. "
            "Try several candidates."
        )
    for choice in choices:
        require_weight(objective, choice.steps / steps)
    return candidates


def _judged(candidate: int, signals: Mapping[str, Any], objective: Objective, progress: float) -> Take:
    silent = any_silent(silences(signals))
    return Take(
        f"candidate {candidate + 1}", objective(signals, progress).detached(), silent, tuple(pictured(signals).values())
    )


def ordered(takes: Mapping[int, Take]) -> list[int]:
    """The numbers of judged candidates, the best first."""
    losses = [take.alignment.loss.mean()[None] for take in takes.values()]
    silent = [take.silent.any()[None] for take in takes.values()]
    return [list(takes)[row] for row in ranking(losses, silent)[:, 0].tolist()]
