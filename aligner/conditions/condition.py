"""A condition: an embedding that a result follows or avoids."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ..binders.base import Embedding
from ..errors import AlignerError
from .timeline import Timeline


@dataclass(frozen=True)
class Condition:
    """An embedding that attracts the result (weight above 0) or repels it (weight below 0).

    weight: 0 switches the condition off. duration: exact length of the recording in seconds; None for what has none.
    streams: the generated streams that it steers; None: all of them. timeline: when it counts; None: always.
    prompt: whether it is the generator's own prompt, whose weight a rule multiplies by its text_weight.
    """

    embedding: Embedding
    weight: float = 1.0
    duration: Fraction | None = None
    streams: tuple[str, ...] | None = None
    timeline: Timeline | None = None
    prompt: bool = False

    def __post_init__(self):
        if not math.isfinite(self.weight):
            raise AlignerError(f"The weight of a condition must be a finite number, not {self.weight}.")

    def steers(self, stream: str) -> bool:
        """Whether the condition counts for a stream."""
        return self.weight != 0 and (self.streams is None or stream in self.streams)

    @property
    def target(self) -> Embedding:
        """What a result is compared with: the embedding, at the times at which it steers."""
        return self.timeline.placed(self.embedding) if self.timeline else self.embedding


def label_conditions(conditions: Iterable[Condition]) -> dict[str, Condition]:
    """Label every condition with its modality, numbered where a modality repeats: video, text, text 2.

    Prompts are numbered last, so that the labels of the others do not depend on them. The order stays.
    """
    conditions = list(conditions)
    labels: dict[str, int] = {}
    for number in sorted(range(len(conditions)), key=lambda number: conditions[number].prompt):
        modality, count = conditions[number].embedding.modality, 1
        label = modality
        while label in labels:
            count += 1
            label = f"{modality} {count}"
        labels[label] = number
    return {label: conditions[number] for label, number in sorted(labels.items(), key=lambda item: item[1])}
