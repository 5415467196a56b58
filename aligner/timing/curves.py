"""Curves through points: a strength over time or over denoising."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from ..errors import AlignerError


@dataclass(frozen=True)
class Curve:
    """Straight lines between points (position, strength), constant before the first and after the last.

    Two points at one position are a jump. Raises AlignerError unless there are points, positions ascend, and every
    number is finite and strengths are 0 or more.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self):
        positions = [position for position, _ in self.points]
        if not self.points or positions != sorted(positions):
            raise AlignerError("A curve needs points whose positions ascend, such as 0: 1, 2: 0.5.")
        for position, strength in self.points:
            if not (math.isfinite(position) and math.isfinite(strength) and strength >= 0):
                raise AlignerError(
                    f"A curve's strengths must be finite and 0 or more, but at {position:g} it is "
                    f"{strength:g}. Push away by a weight below 0 instead."
                )

    def at(self, position: float) -> float:
        """The strength at a position; at a jump the strength after it."""
        after = bisect_right(self.points, position, key=lambda point: point[0])
        if after == 0 or after == len(self.points):
            return self.points[max(after - 1, 0)][1]
        (left, low), (right, high) = self.points[after - 1 : after + 1]
        return low + (high - low) * (position - left) / (right - left)

    def mean(self, start: float, end: float) -> float:
        """The mean strength between two positions, exactly."""
        edges = [start, *(position for position, _ in self.points if start < position < end), end]
        # Between two points the curve is a straight line, and its mean is its value in the middle.
        area = sum((right - left) * self.at((left + right) / 2) for left, right in zip(edges, edges[1:]))
        return area / (end - start)

    def moved(self, by: float) -> Curve:
        """The same curve later by so much; below 0 earlier."""
        return Curve(tuple((position + by, strength) for position, strength in self.points))

    @property
    def empty(self) -> bool:
        """Whether it is 0 everywhere."""
        return not any(strength for _, strength in self.points)


#: Full strength, always.
ALWAYS = Curve(((0.0, 1.0),))


def parse_curve(text: str) -> Curve:
    """Parse points "position: strength", separated by commas or lines; an empty text is ALWAYS.

    Raises AlignerError that names the point that cannot be read.
    """
    points = parse_points(text, "a curve", "position: strength, such as 0: 1, 2: 0.5")
    return Curve(points) if points else ALWAYS


def parse_points(text: str, what: str, example: str) -> tuple[tuple[float, float], ...]:
    """Parse pairs of numbers "position: value", separated by commas or lines.

    what, example: for the AlignerError that names the point that cannot be read.
    """
    points = [point for line in text.splitlines() for point in line.split(",") if point.strip()]
    return tuple(_parsed(point, what, example) for point in points)


def _parsed(point: str, what: str, example: str) -> tuple[float, float]:
    position, colon, value = point.partition(":")
    try:
        if colon:
            return float(position), float(value)
    except ValueError:
        pass
    raise AlignerError(f"{point.strip()!r} is not a point of {what}. Write {example}.")
