"""The frame that stands best for a video."""

from __future__ import annotations

import torch
import torch.nn.functional as F

#: How many frames are looked at, spread over a video, and how wide they need be.
LOOKED_AT, SIDE = 64, 256
#: The mean square of a difference of a twentieth of the range, which is no reason to call a frame unlike the others.
_ALIKE = 0.0025
_LUMA = (0.299, 0.587, 0.114)
_LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def looked_at(count: int) -> list[int]:
    """The numbers of the frames to choose among, of `count`: all, or LOOKED_AT evenly spread."""
    return torch.linspace(0, count - 1, min(count, LOOKED_AT)).round().long().tolist()


def key_frame(frames: torch.Tensor) -> int:
    """The number of the frame that is sharp and shows what most of the others show.

    frames: (N, 3, H, W), uint8 or floats in 0..1, of any size. Of those that are hardly further than usual from the
    typical frame (the median of all, 8 x 8 pixels small) it is the one whose Laplacian varies most, which is what blur
    takes away first (Pech-Pacheco et al. 2000).
    """
    frames = frames.float() / 255 if frames.dtype == torch.uint8 else frames.float()
    height, width = frames.shape[-2:]
    scale = min(1.0, SIDE / max(height, width))
    small = F.interpolate(frames, size=(max(1, round(height * scale)), max(1, round(width * scale))), mode="area")
    thumbnails = F.adaptive_avg_pool2d(small, 8).flatten(1)
    distances = (thumbnails - thumbnails.median(dim=0).values).square().mean(dim=1)
    grey = (small * torch.tensor(_LUMA).view(3, 1, 1)).sum(dim=1, keepdim=True)
    sharpness = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), torch.tensor(_LAPLACIAN)[None, None]).var(
        dim=(1, 2, 3), correction=0)
    typical = distances <= (2 * distances.median()).clamp(min=_ALIKE)
    return int(sharpness.masked_fill(~typical, -1).argmax())
