"""The numbers along an axis."""

from __future__ import annotations

import math
from collections.abc import Iterator


def round_numbers(low: float, high: float, about: int, finest: float = 0.0) -> list[float]:
    """Ticks that cover low..high: roughly `about` multiples of 1, 2 or 5 times a power of ten.

    finest: the smallest distance between ticks.
    """
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    span = high - low
    magnitude = 10.0 ** math.floor(math.log10(span / about))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if span / (factor * magnitude) <= about)
    step = max(step, finest)
    return [place * step for place in range(math.floor(low / step), math.ceil(high / step) + 1)]


def labels(ticks: list[float]) -> Iterator[str]:
    """Format ticks, all with the number of decimals that their distance needs."""
    distance = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    decimals = max(0, -math.floor(math.log10(distance) + 1e-9))
    return (f"{tick:.{decimals}f}" for tick in ticks)
