"""Masks on pictures: hidden regions get a neutral colour."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..errors import AlignerError
from ..tensors.pixels import unit_range
from ..values.pictures import mask as mask_of


def masked(
    pixels: torch.Tensor,
    mask: torch.Tensor | None,
    indices: torch.Tensor,
    count: int,
    colour: tuple[float, float, float],
) -> torch.Tensor:
    """Paint what a mask hides with one colour: (n, 3, H, W) -> (n, 3, H, W), floats in 0..1 or uint8 as given.

    mask: (M, h, w) in 0..1, scaled to the pictures; 1 shows and 0 hides. M is 1, or the number of frames of the video
    whose frames `indices` (n,) the pictures are. None: the pictures stay as they are. count: frames of the video.
    colour: RGB in 0..1 that tells the binder nothing.

    Raises AlignerError for another number of masks, and for a mask that hides everything.
    """
    if mask is None:
        return pixels
    mask = mask_of(mask, "The mask of a condition")
    if len(mask) not in (1, count):
        raise AlignerError(
            f"A mask must be one picture, or one for each frame, but has shape {tuple(mask.shape)}. "
            "Give one mask, or as many as there are frames."
        )
    if not mask.any():
        raise AlignerError("The mask of a condition is empty and hides everything. Paint what should count.")
    chosen = mask if len(mask) == 1 else mask[indices.to(mask.device)]
    neutral = torch.tensor(colour, device=pixels.device).view(3, 1, 1)
    seen = torch.empty_like(pixels, memory_format=torch.contiguous_format)
    for k, picture in enumerate(pixels):  # one at a time: a video in floats is four times as large as in bytes
        shown = F.interpolate(
            chosen[k % len(chosen)][None, None], size=picture.shape[-2:], mode="bilinear", align_corners=False
        )[0]
        blend = torch.lerp(neutral, unit_range(picture), shown.to(picture.device))
        seen[k] = (blend * 255).round() if pixels.dtype == torch.uint8 else blend
    return seen
