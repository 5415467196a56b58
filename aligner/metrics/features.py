"""Checks of the inputs of metrics: tables with one row per recording."""

from __future__ import annotations

import torch

from ..errors import AlignerError


def checked_rows(rows: torch.Tensor, name: str, *, least: int = 1) -> torch.Tensor:
    """Check a table (N, d) of floats; return it as float64 on the CPU, so that sums over many rows keep their digits.

    name: of the rows, for messages. least: the smallest allowed N.
    Raises AlignerError for another shape or type, too few rows, or values that are not finite.
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
        raise AlignerError(f"The {name} contain NaN or infinite values. Check the network that computed them.")
    return rows.detach().to("cpu").double()


def checked_sets(a: torch.Tensor, b: torch.Tensor, *, least: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """`checked_rows` of two sets of features, (N, d) and (M, d). Raises AlignerError also if d differs."""
    a, b = checked_rows(a, "features", least=least), checked_rows(b, "features", least=least)
    if a.shape[1] != b.shape[1]:
        raise AlignerError(
            f"Features of {a.shape[1]} and of {b.shape[1]} dimensions cannot be compared: compute both "
            "with the same network."
        )
    return a, b


def checked_pairs(a: torch.Tensor, b: torch.Tensor, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """`checked_rows` of two tables (N, d) with paired rows. Raises AlignerError also if their shapes differ."""
    if a.shape != b.shape:
        raise AlignerError(
            f"The {name} are compared row by row, so they must have the same shape, not "
            f"{tuple(a.shape)} and {tuple(b.shape)}."
        )
    return checked_rows(a, name), checked_rows(b, name)
