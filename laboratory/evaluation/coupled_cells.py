"""The rows of MM-Diffusion's table: tasks, and ways to do them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aligner import settings
from aligner.generation import SEARCH
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.rule import Rule, Unguided


@dataclass(frozen=True)
class CoupledTask:
    """What a result is made for.

    given: the part of a test clip that is kept, "video" or "audio"; "" for none. What is not given is made. captioned:
    whether the caption of the clip steers.
    """

    given: str = ""
    captioned: bool = False


TASKS = {
    "joint": CoupledTask(),
    "text": CoupledTask(captioned=True),
    "V2A": CoupledTask("video"),
    "A2V": CoupledTask("audio"),
}
#: How strongly a made stream follows the error of what is given.
_SCALE = settings.RECONSTRUCTION.default


@dataclass(frozen=True)
class Way:
    """rule: how F(video, sound) steers. reconstruction: the scale of the gradient of what is given; 0: none."""

    rule: Rule = Unguided()
    reconstruction: float = 0.0
    sampler: str = settings.SAMPLER.default


_ALIGNED = {
    "+ aligner, search": Way(SEARCH),
    "+ aligner, released": Way(Released(checkpointing=False)),
    "+ aligner, paper": Way(Paper(checkpointing=False)),
}
_KEEPING = {
    "replacement": Way(),
    "gradient": Way(reconstruction=_SCALE),
    "replacement + aligner, search": Way(SEARCH),
}
#: By task, the ways in order. The first one is the baseline of the others.
_WAYS = {
    "joint": {"vanilla": Way(), "vanilla, published sampler": Way(sampler="dpm-solver"), **_ALIGNED},
    "text": {"vanilla": Way(), **_ALIGNED},
    "V2A": _KEEPING,
    "A2V": _KEEPING,
}


@dataclass(frozen=True)
class CoupledCell:
    """One row: names of TASKS and of a way."""

    task: str
    method: str

    @property
    def made_for(self) -> CoupledTask:
        return TASKS[self.task]

    @property
    def way(self) -> Way:
        return _WAYS[self.task][self.method]

    @property
    def baseline(self) -> CoupledCell:
        return coupled_cells([self.task])[0]

    @property
    def name(self) -> str:
        return f"{self.task}-{self.method}"


def coupled_cells(tasks: Iterable[str] = tuple(TASKS)) -> list[CoupledCell]:
    """All ways of these tasks."""
    return [CoupledCell(task, method) for task in tasks for method in _WAYS[task]]
