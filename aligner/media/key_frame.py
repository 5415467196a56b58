"""The frame that stands best for a video."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..errors import AlignerError

#: How many frames are looked at, spread over a video, and how wide they need be.
LOOKED_AT, SIDE = 64, 256
#: The mean square of a difference of a twentieth of the range, which is no reason to call a frame unlike the others.
_ALIKE = 0.0025
_LUMA = (0.299, 0.587, 0.114)
_LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def looked_at(count: int) -> list[int]:
    """The numbers of the frames to choose among, of `count`: all, or LOOKED_AT evenly spread.

    Raises AlignerError if there is none.
    """
    if count < 1:
        raise AlignerError("There are no frames to choose a key frame from. Connect at least one.")
    return torch.linspace(0, count - 1, min(count, LOOKED_AT)).round().long().tolist()


def shrunk(frames: torch.Tensor) -> torch.Tensor:
    """Frames as small as they are looked at: (N, 3, H, W), uint8 or floats in 0..1 -> float32, at most SIDE a side."""
    frames = frames.float() / 255 if frames.dtype == torch.uint8 else frames.float()
    height, width = frames.shape[-2:]
    scale = min(1.0, SIDE / max(height, width))
    return F.interpolate(frames, size=(max(1, round(height * scale)), max(1, round(width * scale))), mode="area")


def key_frame(frames: torch.Tensor) -> int:
    """The number of the frame that is sharp and shows what most of the others show.

    frames: (N, 3, H, W), uint8 or floats in 0..1, of any size, or `shrunk` already. Of those that are hardly further
    than usual from the typical frame (the median of all, 8 x 8 pixels small) it is the one whose Laplacian varies most,
    which is what blur takes away first (Pech-Pacheco et al. 2000).
    """
    # One by one: in full size and float32 there may be gigabytes of them.
    small = torch.cat([shrunk(frame) for frame in frames.split(1)])
    thumbnails = F.adaptive_avg_pool2d(small, 8).flatten(1)
    distances = (thumbnails - thumbnails.median(dim=0).values).square().mean(dim=1)
    luma, laplacian = (torch.tensor(constant, device=small.device) for constant in (_LUMA, _LAPLACIAN))
    grey = (small * luma.view(3, 1, 1)).sum(dim=1, keepdim=True)
    sharpness = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), laplacian[None, None]).var(
        dim=(1, 2, 3), correction=0
    )
    typical = distances <= (2 * distances.median()).clamp(min=_ALIKE)
    return int(sharpness.masked_fill(~typical, -1).argmax())
