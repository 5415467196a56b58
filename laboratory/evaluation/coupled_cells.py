"""The rows of MM-Diffusion's table: tasks, and ways to do them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aligner import settings
from aligner.generation import SEARCH
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.rule import Rule, Unguided

#: The part of a test clip that is given, by task. What is not given is made.
TASKS = {"joint": "", "V2A": "video", "A2V": "audio"}
#: How strongly a made stream follows the error of what is given.
_SCALE = settings.RECONSTRUCTION.default


@dataclass(frozen=True)
class Way:
    """rule: how F(video, sound) steers. reconstruction: the scale of the gradient of what is given; 0: none."""

    rule: Rule = Unguided()
    reconstruction: float = 0.0
    sampler: str = settings.SAMPLER.default


#: By whether something is given, the ways in order. The first one is the baseline of the others.
_WAYS = {
    False: {
        "vanilla": Way(),
        "vanilla, published sampler": Way(sampler="dpm-solver"),
        "+ aligner, search": Way(SEARCH),
        "+ aligner, released": Way(Released(checkpointing=False)),
        "+ aligner, paper": Way(Paper(checkpointing=False)),
    },
    True: {
        "replacement": Way(),
        "gradient": Way(reconstruction=_SCALE),
        "replacement + aligner, search": Way(SEARCH),
    },
}


@dataclass(frozen=True)
class CoupledCell:
    """One row: names of TASKS and of a way."""

    task: str
    method: str

    @property
    def given(self) -> str:
        """The part of a test clip that is given; "" for none."""
        return TASKS[self.task]

    @property
    def way(self) -> Way:
        return _WAYS[bool(self.given)][self.method]

    @property
    def baseline(self) -> CoupledCell:
        return coupled_cells([self.task])[0]

    @property
    def name(self) -> str:
        return f"{self.task}-{self.method}"


def coupled_cells(tasks: Iterable[str] = tuple(TASKS)) -> list[CoupledCell]:
    """All ways of these tasks."""
    return [CoupledCell(task, method) for task in tasks for method in _WAYS[bool(TASKS[task])]]
