"""Intervals of seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import AlignerError


@dataclass(frozen=True)
class Interval:
    """From `start` to `end` in seconds. An end of None is the end of the whole.

    Raises AlignerError unless 0 <= start < end.
    """

    start: float = 0.0
    end: float | None = None

    def __post_init__(self):
        if not (math.isfinite(self.start) and self.start >= 0 and self.until > self.start):
            raise AlignerError(
                f"An interval must start at 0 s or later and end after that, but {self.start:g} s to {self.until:g} s "
                "does not."
            )

    @property
    def until(self) -> float:
        """The end, which may be infinite."""
        return math.inf if self.end is None else self.end

    def share(self, span: tuple[float, float]) -> float:
        """The part of a span that lies in the interval, 0 to 1."""
        start, end = span
        return max(0.0, min(end, self.until) - max(start, self.start)) / (end - start)

    def holds(self, span: tuple[float, float]) -> bool:
        """Whether the middle of a span lies in the interval."""
        return self.start <= sum(span) / 2 < self.until

    def __str__(self) -> str:
        return f"{self.start:g} s to the end" if self.end is None else f"{self.start:g} s to {self.end:g} s"


#: All of a recording.
WHOLE = Interval()
