"""What the metrics are computed on: rows of numbers, one per recording."""

from __future__ import annotations

import torch

from ..errors import AlignerError


def checked_rows(rows: torch.Tensor, name: str, *, least: int = 1) -> torch.Tensor:
    """Rows (N, d) of any floating-point type as float64 on the CPU: sums over thousands of them lose no digits.

    name: what messages call them. Raises AlignerError if they are no such table, fewer than `least`, or not finite.
    """
    if rows.ndim != 2 or not rows.shape[1] or not rows.is_floating_point():
        raise AlignerError(
            f"The {name} must be floats of shape (recordings, dimensions), but are {rows.dtype} of "
            f"shape {tuple(rows.shape)}."
        )
    if len(rows) < least:
        raise AlignerError(
            f"At least {least} rows of {name} are needed, but there are {len(rows)}. Score more recordings."
        )
    if not rows.isfinite().all():
        raise AlignerError(f"The {name} contain NaN or infinite values. Check what made them.")
    return rows.detach().to("cpu").double()


def checked_sets(a: torch.Tensor, b: torch.Tensor, *, least: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sets of features, (N, d) and (M, d), as `checked_rows`. Raises AlignerError if d differs."""
    a, b = checked_rows(a, "features", least=least), checked_rows(b, "features", least=least)
    if a.shape[1] != b.shape[1]:
        raise AlignerError(
            f"Features of {a.shape[1]} and of {b.shape[1]} dimensions cannot be compared: take both "
            "from the same network."
        )
    return a, b


def checked_pairs(a: torch.Tensor, b: torch.Tensor, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Two tables (N, d) whose rows belong together, as `checked_rows`. Raises AlignerError if their shapes differ."""
    if a.shape != b.shape:
        raise AlignerError(
            f"The {name} are compared row by row, so that they must have the same shape, not "
            f"{tuple(a.shape)} and {tuple(b.shape)}."
        )
    return checked_rows(a, name), checked_rows(b, name)
