"""How well two onset curves agree, as they are and moved against each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..errors import AlignerError
from .ticks import TICKS_PER_SECOND

#: Standard deviation in seconds of the blur that lets near misses count in part: 40 ms count about two thirds.
_BLUR = 0.03
#: The least norm of a blurred curve that holds an onset.
_NOTHING = 1e-3


def has_onsets(curve: torch.Tensor) -> torch.Tensor:
    """(B, T) -> (B,) bool: whether anything begins."""
    return _blurred(curve).norm(dim=1) > _NOTHING


def synchrony(one: torch.Tensor, other: torch.Tensor, strength: torch.Tensor | None = None) -> torch.Tensor:
    """The agreement of two onset curves (B, T): (B,) in 0..1, differentiable. 1: all onsets coincide.

    It is the cosine of the blurred curves. Onsets of one that the other lacks lower it. It is 0 where one of them has
    no onsets. The longer curve is cut to the shorter one. strength: (T,), how much each moment counts; None: all
    alike. Raises AlignerError for other shapes.
    """
    one, other, strength = _together(one, other, strength)
    product, power, other_power = ((strength * each).sum(dim=1) for each in (one * other, one.square(), other.square()))
    least = _NOTHING**2
    something = (power > least) & (other_power > least)
    return torch.where(something, product / (power.clamp(min=least) * other_power.clamp(min=least)).sqrt(), 0.0)


def _together(
    one: torch.Tensor, other: torch.Tensor, strength: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Both curves blurred and the strength, as long as all are."""
    if one.ndim != 2 or other.ndim != 2:
        raise AlignerError(f"Onset curves have shape (B, T), not {tuple(one.shape)} and {tuple(other.shape)}.")
    count = min(one.shape[1], other.shape[1])
    strength = one.new_ones(count) if strength is None else strength[:count]
    return _blurred(one[:, :count]), _blurred(other[:, :count]), strength


def _blurred(curve: torch.Tensor) -> torch.Tensor:
    """(B, T) -> (B, T)."""
    if not curve.shape[1]:
        return curve
    width = _BLUR * TICKS_PER_SECOND
    radius = round(4 * width)
    offsets = torch.arange(-radius, radius + 1, dtype=curve.dtype, device=curve.device)
    kernel = torch.softmax(-offsets.square() / (2 * width**2), dim=0)
    return F.conv1d(curve[:, None], kernel[None, None], padding=radius)[:, 0]
