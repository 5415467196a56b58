"""The cells of the table: combinations of a task, a rule of guidance and a kind of caption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aligner.errors import AlignerError
from aligner.generation import JOINT_SEARCH
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.objective import Comparison
from aligner.guidance.rule import Rule, Unguided
from aligner.guidance.search import Search

from ..world import Scene, right_caption, vague_caption, wrong_caption


@dataclass(frozen=True)
class EvaluatedTask:
    """A task of the table.

    generates: the generated streams. given: the part of a test clip that steers, "video", "image" or "audio"; "" where
    only a caption is given. seed: of the first clip. Tasks draw different noises, and all methods of a task the same.
    """

    generates: tuple[str, ...]
    given: str
    seed: int


TASKS = {
    "V2A": EvaluatedTask(("audio",), "video", 0),
    "I2A": EvaluatedTask(("audio",), "image", 1_000_000),
    "A2V": EvaluatedTask(("video",), "audio", 2_000_000),
    "joint": EvaluatedTask(("video", "audio"), "", 3_000_000),
}

#: What anyone can compare without this project.
BY_MEANING = Comparison(audio_timing_weight=0.0, video_timing_weight=0.0)
#: The rules that are compared.
METHODS: dict[str, Rule] = {
    "unguided": Unguided(),
    "paper": Paper(checkpointing=False),
    # The authors' code tunes no prompts.
    "released": Released(prompt_rates={}, checkpointing=False),
    # Finished results in about the cost of the default, 140 steps: 7 noises for 19 of 20 steps, and one more, are 134.
    "finished": Search(candidates={"audio": 7, "video": 7}, at=0.95, audio_shift=0.0, comparison=BY_MEANING),
    "default": Search(),
}
#: By task and method, the rules of tasks that have others.
_OF_TASKS: dict[tuple[str, str], Rule] = {
    ("joint", "default"): JOINT_SEARCH,
    # In about the time of the default: a finished video with its sound takes a quarter of it.
    ("joint", "finished"): Search(candidates={"audio": 4, "video": 4}, at=0.95, audio_shift=0.0, comparison=BY_MEANING),
}
#: The methods that are measured with all captions. The others are measured with vague ones, where everything depends on
#: guidance.
WITH_ALL_CAPTIONS = ("unguided", "default")
#: How often each clip is sampled without guidance: its result is chance, and one draw of 64 clips misses it by far.
DRAWS = 4

#: By kind of caption, the function that returns the caption of a scene and of the number of its clip.
CAPTIONS: dict[str, Callable[[Scene, int], str]] = {
    "right": right_caption,
    "vague": lambda scene, number: vague_caption(number),
    "wrong": wrong_caption,
}


@dataclass(frozen=True)
class Cell:
    """One cell of the table. Raises AlignerError for an unknown name."""

    task: str
    method: str
    caption: str

    def __post_init__(self):
        for name, choices in ((self.task, TASKS), (self.method, METHODS), (self.caption, CAPTIONS)):
            if name not in choices:
                raise AlignerError(f"There is no {name!r} to evaluate. Choose one of: {', '.join(choices)}.")

    @property
    def draws(self) -> int:
        """How often each clip is sampled."""
        return DRAWS if (self.method, self.caption) == ("unguided", "vague") else 1

    @property
    def rule(self) -> Rule:
        """The rule that steers."""
        return rule_of(self.task, self.method)

    @property
    def name(self) -> str:
        return f"{self.task}-{self.method}-{self.caption}"


def rule_of(task: str, method: str) -> Rule:
    """What a method is for a task."""
    return _OF_TASKS.get((task, method), METHODS[method])


def cells(
    tasks: Iterable[str] = tuple(TASKS),
    methods: Sequence[str] = tuple(METHODS),
    captions: Sequence[str] = tuple(CAPTIONS),
) -> list[Cell]:
    """Every combination that says something, task by task. No caption is wrong where nothing else is given."""
    return [
        Cell(task, method, caption)
        for task in tasks
        for method in methods
        for caption in captions
        if (caption == "vague" or method in WITH_ALL_CAPTIONS) and (caption != "wrong" or TASKS[task].given)
    ]
