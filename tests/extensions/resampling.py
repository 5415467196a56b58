"""A rule that another package could bring: candidates are chosen several times and made anew around the best."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from aligner.errors import AlignerError
from aligner.guidance.objective import Comparison
from aligner.guidance.rule import Rule, Run, Scope, State
from aligner.guidance.selection import choose


@dataclass(frozen=True)
class Particles(State):
    """Candidates between two choices."""

    states: tuple[State, ...] = ()


@dataclass(frozen=True)
class Resampling(Rule):
    """Follow `candidates` noises; after each part of the steps in `moments`, choose the best.

    Between two choices the others are made anew: the clean estimate of the best, with fresh noise. The generator must
    start from noise alone (denoise 1).
    """

    candidates: int = 4
    moments: tuple[float, ...] = (0.2, 0.6)
    comparison: Comparison = field(default_factory=Comparison)

    def begin(self, run: Run, latents, prompts) -> State:
        noises = [latents, *(run.draw() for _ in range(self.candidates - 1))]
        return Particles(latents, prompts, states=tuple(State(noise, prompts) for noise in noises))

    def step(self, run: Run, state: State, index: int) -> State:
        if not isinstance(state, Particles):
            return run.plain_step(state, index)
        states = tuple(run.plain_step(each, index) for each in state.states)
        taken, choices = index + 1, self.choices(run.denoiser.steps)
        if taken not in choices:
            return replace(state, states=states)
        best = choose(run, states, taken, run.objective(self))
        if taken == choices[-1]:
            return best
        fresh = (run.denoiser.noised(best.clean, run.draw(), taken) for _ in range(self.candidates - 1))
        return replace(state, states=(best, *(replace(best, latents=latents) for latents in fresh)))

    def choices(self, steps: int) -> list[int]:
        """After how many steps the rule chooses."""
        return [max(1, round(moment * steps)) for moment in self.moments]

    def passes(self, scope: Scope) -> int:
        steps = scope.denoiser.steps
        return steps + (self.candidates - 1) * self.choices(steps)[-1]

    def require_effect(self, streams: Iterable[str], steps: int) -> None:
        if self.candidates < 2:
            raise AlignerError("Resampling needs several candidates to choose from. Raise candidates.")
