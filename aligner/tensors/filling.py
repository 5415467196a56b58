"""Pictures scaled to another size."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def filled(pictures: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Pictures (N, 3, h, w) in 0..1 scaled until they fill a size, and their middle cut out: (N, 3, height, width)."""
    scale = max(height / pictures.shape[2], width / pictures.shape[3])
    size = max(height, round(pictures.shape[2] * scale)), max(width, round(pictures.shape[3] * scale))
    scaled = F.interpolate(pictures, size=size, mode="bicubic", antialias=True).clamp(0, 1)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return scaled[:, :, top : top + height, left : left + width]
