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


def synchrony(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The agreement of two onset curves (B, T): (B,) in 0..1, differentiable. 1: all onsets coincide.

    It is the cosine of the blurred curves. Onsets of one that the other lacks lower it. It is 0 where one of them has
    no onsets. The longer curve is cut to the shorter one. Raises AlignerError for other shapes.
    """
    return (_direction(one, other) * _direction(other, one)).sum(dim=1)


def synchrony_by_shift(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The agreement for every shift of `one`: (B, T), as `synchrony`. Entry s: it is moved s ticks later in a circle.

    What leaves at the end comes in at the beginning; entry -s is s ticks earlier. The convolution theorem gives all
    shifts at once.
    """
    moved, fixed = _direction(one, other), _direction(other, one)
    product = torch.fft.rfft(fixed) * torch.fft.rfft(moved).conj()
    return torch.fft.irfft(product, n=moved.shape[1])


def _direction(curve: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The blurred curve, as long as both are, with norm 1; 0 where it has no onsets."""
    if curve.ndim != 2 or other.ndim != 2:
        raise AlignerError(f"Onset curves have shape (B, T), not {tuple(curve.shape)} and {tuple(other.shape)}.")
    blurred = _blurred(curve[:, : other.shape[1]])
    norm = blurred.norm(dim=1, keepdim=True)
    return torch.where(norm > _NOTHING, blurred / norm.clamp(min=_NOTHING), 0.0)


def _blurred(curve: torch.Tensor) -> torch.Tensor:
    """(B, T) -> (B, T)."""
    width = _BLUR * TICKS_PER_SECOND
    radius = round(4 * width)
    offsets = torch.arange(-radius, radius + 1, dtype=curve.dtype, device=curve.device)
    kernel = torch.softmax(-offsets.square() / (2 * width**2), dim=0)
    return F.conv1d(curve[:, None], kernel[None, None], padding=radius)[:, 0]
