"""Gates of numbers, switches and texts."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy
import torch

from ..errors import AlignerError
from .naming import named


def number(value: Any, what: str, low: float | None = None, high: float | None = None) -> float:
    """A finite number, low to high, both included. Arrays and tensors of a single value are numbers too.

    what: its name for messages. Raises AlignerError for anything else, switches included.
    """
    value = _single(value)
    if not _is_finite(value) or not _lies_in(value, low, high):
        raise AlignerError(f"{what} must be a finite number{_range(low, high)}, not {named(value)}.")
    return float(value)


def whole_number(value: Any, what: str, low: float | None = None, high: float | None = None) -> int:
    """A whole number, low to high, both included; 25.0 is one. Raises AlignerError for anything else."""
    value = _single(value)
    if not _is_finite(value) or value != int(value) or not _lies_in(value, low, high):
        raise AlignerError(f"{what} must be a whole number{_range(low, high)}, not {named(value)}.")
    return int(value)


def truth(value: Any, what: str) -> bool:
    """True or False. Raises AlignerError for anything else: the text "false" would count as true."""
    if not isinstance(value, bool | numpy.bool_):
        raise AlignerError(f"{what} must be True or False, not {named(value)}.")
    return bool(value)


def _single(value: Any) -> Any:
    if isinstance(value, numpy.ndarray | numpy.generic) and value.size == 1:
        return value.item()
    if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_meta:
        return value.detach().item()
    return value


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _lies_in(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "" if low is None and high is None else f" of {low} or more" if high is None else f" of {high} or less"
    return f" from {low:.15g} to {high:.15g}"
