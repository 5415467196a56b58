"""Cells of older code are confirmed by their first clips, where the change of code left them alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .table import FIGURES

#: How many rows are repeated, and how much a figure may differ: another number of threads rounds otherwise.
REPEATED, TOLERANCE = 8, 5e-3
#: What follows it in a cell's settings is the digest of the code.
_EDITION = " edition "


def first_rows(rows: Sequence[Mapping]) -> list[dict]:
    """What the first rows of a cell are recognised by: the event that the judge names, and all figures of their own."""
    return [{name: row.get(name) for name in ("judged", *FIGURES) if _own(name, row)} for row in rows[:REPEATED]]


def _own(name: str, row: Mapping) -> bool:
    """Whether a figure depends on nothing but its row: see `timing.with_pair_leads`."""
    return name != "matched_lead" or "heard_at" not in row


def only_code_differs(figures: Mapping, settings: str, samples: int) -> bool:
    """Whether a cell was measured with these models and settings and so many samples, by other code."""
    same_models = figures["settings"].rpartition(_EDITION)[0] == settings.rpartition(_EDITION)[0]
    return same_models and figures["samples"] == samples and "first" in figures


def alike(one: Sequence[Mapping], other: Sequence[Mapping]) -> bool:
    """Whether two lists of first rows are the same up to rounding."""
    return len(one) == len(other) and all(
        mine.keys() == theirs.keys() and all(_equal(mine[name], theirs[name]) for name in mine)
        for mine, theirs in zip(one, other)
    )


def _equal(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, abs_tol=TOLERANCE)
    return one == other
