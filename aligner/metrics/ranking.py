"""Which of several results is best, by scores of which the first that tells them apart decides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..errors import AlignerError


def ranked(scores: Mapping[str, Sequence[float]]) -> list[int]:
    """The numbers of candidates, best first. Earlier scores count first, later ones where they are equal.

    scores: by name, one for each candidate, higher is better; what is not a number is worst. Of candidates that are
    equal in all the earlier one is first. Raises AlignerError if there is nothing to rank by.
    """
    if not scores:
        raise AlignerError("There is nothing to rank by: connect a sound and frames, or ImageBind and conditions.")
    count = len(next(iter(scores.values())))
    return sorted(
        range(count), key=lambda k: [math.inf if math.isnan(each[k]) else -each[k] for each in scores.values()]
    )


def ranking_report(scores: Mapping[str, Sequence[float]], order: Sequence[int]) -> str:
    """A line for each candidate, counted from 1, best first."""
    return "\n".join(f"{k + 1}: " + ", ".join(f"{name} {each[k]:.3f}" for name, each in scores.items()) for k in order)
