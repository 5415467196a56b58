"""What steers a generation: embeddings, each with a signed weight."""

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
    """An embedding that the result is drawn to (weight above 0) or pushed away from (weight below 0).

    A weight of 0 switches the condition off. duration: how many seconds the recording lasts, exactly, where it is one.
    streams: which generated streams it steers; None: all of them. timeline: when it counts; None: always.
    """

    embedding: Embedding
    weight: float = 1.0
    duration: Fraction | None = None
    streams: tuple[str, ...] | None = None
    timeline: Timeline | None = None

    def __post_init__(self):
        if not math.isfinite(self.weight):
            raise AlignerError(f"The weight of a condition must be a finite number, not {self.weight}.")

    def steers(self, stream: str) -> bool:
        """Whether it counts for a stream."""
        return self.weight != 0 and (self.streams is None or stream in self.streams)

    @property
    def target(self) -> Embedding:
        """What a result is compared with: the embedding, at the times that it steers."""
        return self.timeline.placed(self.embedding) if self.timeline else self.embedding


def named(conditions: Iterable[Condition]) -> dict[str, Condition]:
    """Give every condition the name of its modality, numbered where a modality comes twice: video, text, text 2."""
    names: dict[str, Condition] = {}
    for condition in conditions:
        modality, count = condition.embedding.modality, 1
        name = modality
        while name in names:
            count += 1
            name = f"{modality} {count}"
        names[name] = condition
    return names
