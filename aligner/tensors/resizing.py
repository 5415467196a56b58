"""Resizing of pictures, axis by axis."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def resized(pixels: torch.Tensor, axis: int, length: int, *, mode: str, antialias: bool) -> torch.Tensor:
    """Resize one axis, -2 or -1, of (N, C, H, W). Differentiable. mode: "bilinear" or "bicubic"."""
    # Along rows, because torch's antialiasing on the CPU gets the columns of a picture one pixel wide wrong.
    rows = pixels.transpose(axis, -1)
    size = (rows.shape[-2], length)
    return F.interpolate(rows, size=size, mode=mode, align_corners=False, antialias=antialias).transpose(axis, -1)
