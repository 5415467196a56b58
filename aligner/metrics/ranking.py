"""Ranking of candidates by the first score; later scores break ties."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..errors import AlignerError


def ranked(scores: Mapping[str, Sequence[float]]) -> list[int]:
    """Rank candidates by the first score, best first; later scores break ties. Returns their indices.

    scores: {name: one value per candidate}; higher is better, and NaN is worst. Candidates that are equal in all
    scores keep their order. Raises AlignerError if there are no scores.

    Example:
        ranked({"AV-Align": [0.2, 0.5], "cosine": [0.3, 0.1]})  # [1, 0]
    """
    if not scores:
        raise AlignerError("There is nothing to rank by: connect a sound and frames, or a binder and conditions.")
    count = len(next(iter(scores.values())))
    return sorted(
        range(count), key=lambda k: [math.inf if math.isnan(each[k]) else -each[k] for each in scores.values()]
    )


def ranking_report(scores: Mapping[str, Sequence[float]], order: Sequence[int], binder: str = "") -> str:
    """The scores as text, a line per candidate in the given order; candidates are counted from 1.

    binder: the name of the score that a binder gives; the last line says when it is fair.
    """
    lines = [f"{k + 1}: " + ", ".join(f"{name} {each[k]:.3f}" for name, each in scores.items()) for k in order]
    if binder:
        lines.append(f"Where {binder} steered, it rates its own work. A binder that did not steer judges more fairly.")
    return "\n".join(lines)
