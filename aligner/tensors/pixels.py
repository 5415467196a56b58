"""Conversion of pixel values."""

from __future__ import annotations

import torch

from .precision import full_precision


def unit_range(pixels: torch.Tensor) -> torch.Tensor:
    """Convert pixels of any shape, uint8 in 0..255 or floats in 0..1, to floats in 0..1, at least float32."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else full_precision(pixels)
