"""Selection of a key frame: one sharp, typical frame of a video."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..errors import AlignerError
from ..tensors.pixels import unit_range

#: At most this many frames, spread over the video, are compared, with at most this many pixels a side.
LOOKED_AT, SIDE = 64, 256
#: A mean squared distance below this, a difference of 5 % of the range, never makes a frame untypical.
_ALIKE = 0.0025
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def looked_at(count: int) -> list[int]:
    """The indices of the candidate frames in a video of `count` frames: all, or LOOKED_AT evenly spread ones.

    Raises AlignerError if count is below 1.
    """
    if count < 1:
        raise AlignerError("There are no frames to choose a key frame from. Connect at least one.")
    return torch.linspace(0, count - 1, min(count, LOOKED_AT)).round().long().tolist()


def shrunk(frames: torch.Tensor) -> torch.Tensor:
    """Scale frames (N, 3, H, W), uint8 or floats in 0..1, down to at most SIDE pixels a side; float32 in 0..1."""
    frames = unit_range(frames).float()
    height, width = frames.shape[-2:]
    scale = min(1.0, SIDE / max(height, width))
    return F.interpolate(frames, size=(max(1, round(height * scale)), max(1, round(width * scale))), mode="area")


def key_frame(frames: torch.Tensor) -> int:
    """The index of the sharpest typical frame.

    A frame is typical if its mean squared distance to the median frame, both averaged to 8 x 8 pixels, is at most
    twice the median distance (or below a small constant). Sharpness is the variance of the Laplacian of the luma
    (Pech-Pacheco et al., ICPR 2000).

    frames: (N, 3, H, W), uint8 or floats in 0..1, of any size; they may be `shrunk` already.
    """
    # One by one: all frames at full size in float32 can take gigabytes.
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
