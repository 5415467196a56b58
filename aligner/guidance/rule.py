"""What every rule of guidance is: an object that decides what happens at each denoising step.

The loop of `aligner.sampling` calls `begin` once and `step` for every denoising step. A new rule is one file with one
class that has these two methods; the other methods of `Rule` have defaults that suit a rule that neither chooses nor
needs a gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch

from ..errors import AlignerError, listed
from ..generators.base import NO_GRADIENT, BackwardPass, Denoiser, Generator, Streams
from ..generators.signals import Signal
from ..values.naming import named
from .choosing import Take
from .objective import PUBLISHED, Alignment, Comparison, Objective


@dataclass(frozen=True)
class State:
    """Where sampling stands between two steps. A rule that needs more derives from it.

    latents: the noisy latents z_t by stream, (B, ...). prompts: the prompt embeddings y by stream. clean: the last
    clean estimate of every stream; empty before the first step.
    """

    latents: Streams
    prompts: Streams
    clean: Streams = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What a denoising step reports.

    index: the step's, 0 to steps - 1; steps of candidates count, so that an index may come more than once. passed:
    the part of the run's steps taken so far, above 0 and at most 1. clean: the clean estimate by stream. rendered,
    alignment: its signals and their alignment, where they were compared. tried: when candidates were chosen, all of
    them. chosen: the number of the best of them for the first sample. candidate, candidates: which of how many took the
    step, counted from 0; after a choice those that go on are counted anew, the best first.
    """

    index: int
    passed: float
    clean: Streams
    rendered: Mapping[str, Any] | None = None
    alignment: Alignment | None = None
    tried: Sequence[Take] = ()
    chosen: int = 0
    candidate: int = 0
    candidates: int = 1


class Rule(ABC):
    """One way to steer. comparison: how it compares results with conditions."""

    comparison: Comparison = PUBLISHED

    def begin(self, run: Run, latents: Streams, prompts: Streams) -> State:
        """The state before step 0, of latents that start from noise and the prompt embeddings."""
        return State(latents, prompts)

    @abstractmethod
    def step(self, run: Run, state: State, index: int) -> State:
        """Take denoising step `index`. Reports through `run`; raises AlignerError where a value is not finite."""

    @property
    def guides(self) -> bool:
        """Whether the rule compares anything while it samples."""
        return True

    def passes(self, scope: Scope) -> int:
        """How many steps `run` will report, those of all candidates included."""
        return scope.denoiser.steps

    def backward(self, streams: Iterable[str]) -> Mapping[str, BackwardPass]:
        """What the backward pass of each stream goes through, for those of the streams that a gradient moves."""
        return NO_GRADIENT

    def savings(self) -> Mapping[str, Rule]:
        """Rules that take less memory, by the change in words, "checkpointing on"; those of the same result first."""
        return {}

    def frugal(self) -> Rule:
        """The rule that gives the same result in the least memory."""
        return self

    def without_prompts(self) -> Rule:
        """The rule for a generator that has no prompts."""
        return self

    def require_effect(self, streams: Iterable[str], steps: int) -> None:
        """Raise AlignerError where the rule's own settings leave nothing to do for these streams in so many steps."""

    def require_reach(self, scope: Scope, first: int = 0) -> None:
        """Raise AlignerError where the rule would have no effect on this run from step `first` on."""


#: What a search, a plan and a sampler ask of a rule.
_METHODS = [name for name in vars(Rule) if not name.startswith("_")]


@dataclass(frozen=True)
class Scope:
    """What a run is about, known before it begins.

    objectives: by the comparison of a rule, what it compares; none for a rule that compares nothing.
    """

    denoiser: Generator
    objectives: Mapping[Comparison, Objective] = field(default_factory=dict)

    def objective(self, rule: Rule) -> Objective:
        """What a rule compares. Raises AlignerError if that is nothing."""
        comparison = comparison_of(rule)
        if comparison not in self.objectives:
            raise AlignerError(f"{type(rule).__name__} needs a binder and conditions to follow, but there are none.")
        return self.objectives[comparison]

    def of(self, denoiser: Generator) -> Scope:
        """The same for a generator that stands in for this one."""
        return replace(self, denoiser=denoiser)


def rule_of(value: Any, what: str) -> Any:
    """The gate of rules: an object with the methods of `Rule`, whoever wrote it.

    what: its name for messages. Raises AlignerError for anything else, with what a rule of another package lacks, and
    for a comparison that does not exist.
    """
    missing = [name for name in _METHODS if not hasattr(value, name)]
    if isinstance(value, type) or missing:
        lacking = f" It lacks {listed(missing)}." if hasattr(value, "step") and missing else ""
        raise AlignerError(
            f"{what} must be a rule, such as Search Settings or Gradient Settings gives, not {named(value)}.{lacking}"
        )
    names = [each.name for each in fields(Comparison)]
    if not all(hasattr(value.comparison, name) for name in names):
        raise AlignerError(f"{what} must be a rule whose comparison has {listed(names)}.")
    comparison_of(value)
    if (then := getattr(value, "then", None)) is not None:
        rule_of(then, f"What follows {what}")
    return value


def comparison_of(rule: Rule) -> Comparison:
    """How a rule compares; another package may write its comparison as any object with these fields."""
    own = rule.comparison
    return Comparison(*(getattr(own, each.name) for each in fields(Comparison)))


class Run:
    """A run at work: what rules use to denoise, to compare and to report.

    draw: returns the latents of step 0 of one more candidate: noise, or noisy clean latents where denoise is below 1.
    total: the steps that the run will report.
    """

    def __init__(self, scope: Scope, draw: Callable[[], Streams], on_step: Callable[[Step], None], total: int):
        self.scope, self.draw, self._on_step, self._total = scope, draw, on_step, total
        self._taken = 0
        self._clean: Streams = {}

    @property
    def denoiser(self) -> Denoiser:
        return self.scope.denoiser

    def objective(self, rule: Rule) -> Objective:
        """What a rule compares."""
        return self.scope.objective(rule)

    def render(self, clean: Streams) -> Mapping[str, Signal]:
        """Clean latents as sound and frames, differentiable."""
        return self.scope.denoiser.render(clean)

    def state(self, latents: Streams, prompts: Streams) -> State:
        """A state before the first step, for rules that are written where this class cannot be imported."""
        return State(latents, prompts)

    @torch.no_grad()
    def plain_step(self, state: State, index: int, *, candidate: int = 0, candidates: int = 1) -> State:
        """Take a step without guidance, and report it. candidate, candidates: see `Step`."""
        output = self.denoiser.predict(state.latents, state.prompts, index)
        clean = state.clean | self.denoiser.x0(state.latents, output, index)
        latents = state.latents | self.denoiser.step(state.latents, output, index)
        self.report(index, clean, candidate=candidate, candidates=candidates)
        return State(latents, state.prompts, clean)

    def report(
        self,
        index: int,
        clean: Streams,
        rendered: Mapping[str, Any] | None = None,
        alignment: Alignment | None = None,
        *,
        candidate: int = 0,
        candidates: int = 1,
    ) -> None:
        """Report a step, see `Step`. Whatever the callback raises ends the run."""
        self._taken += 1
        # A candidate may lack a stream; its last estimate is still worth a look.
        self._clean = self._clean | clean
        passed = self._taken / self._total
        self._on_step(Step(index, passed, self._clean, rendered, alignment, candidate=candidate, candidates=candidates))

    def report_choice(
        self, index: int, clean: Streams, alignment: Alignment, tried: Sequence[Take], chosen: int
    ) -> None:
        """Report a choice. alignment: of what was chosen. tried: all candidates. chosen: the first sample's."""
        self._on_step(Step(index, self._taken / self._total, clean, None, alignment, tried, chosen))


@dataclass(frozen=True)
class Unguided(Rule):
    """Plain sampling. comparison: how the result is scored where there is something to compare with."""

    comparison: Comparison = PUBLISHED

    def step(self, run: Run, state: State, index: int) -> State:
        return run.plain_step(state, index)

    @property
    def guides(self) -> bool:
        return False
