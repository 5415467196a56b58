"""What the table is made of: tasks, ways to steer, and captions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aligner.errors import AlignerError
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.rule import Rule, Unguided
from aligner.guidance.search import Search

from ..world import Scene, right_caption, vague_caption, wrong_caption


@dataclass(frozen=True)
class EvaluatedTask:
    """generates: streams. given: what of a test clip the result is made for, "video", "image" or "audio"; "" if only
    a caption is given."""

    generates: tuple[str, ...]
    given: str


TASKS = {
    "V2A": EvaluatedTask(("audio",), "video"),
    "I2A": EvaluatedTask(("audio",), "image"),
    "A2V": EvaluatedTask(("video",), "audio"),
    "joint": EvaluatedTask(("video", "audio"), ""),
}

#: How a result is steered.
METHODS: dict[str, Rule] = {
    "unguided": Unguided(),
    "paper": Paper(checkpointing=False),
    # The authors' code tunes no prompts.
    "released": Released(prompt_rates={}, checkpointing=False),
    "default": Search(),
}

CAPTIONS: dict[str, Callable[[Scene, int], str]] = {
    "right": right_caption,
    "vague": lambda scene, number: vague_caption(number),
    "wrong": wrong_caption,
}


@dataclass(frozen=True)
class Cell:
    """One cell of the table. Raises AlignerError for a name that is none."""

    task: str
    method: str
    caption: str

    def __post_init__(self):
        for name, choices in ((self.task, TASKS), (self.method, METHODS), (self.caption, CAPTIONS)):
            if name not in choices:
                raise AlignerError(f"There is no {name!r} to evaluate. Choose of: {', '.join(choices)}.")

    @property
    def name(self) -> str:
        return f"{self.task}-{self.method}-{self.caption}"


def cells(
    tasks: Iterable[str] = tuple(TASKS),
    methods: Sequence[str] = tuple(METHODS),
    captions: Sequence[str] = tuple(CAPTIONS),
) -> list[Cell]:
    """Every combination, task by task."""
    return [Cell(task, method, caption) for task in tasks for method in methods for caption in captions]
