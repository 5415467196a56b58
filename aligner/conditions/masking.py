"""Only a part of a picture counts: the rest says nothing to ImageBind."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..binders.imagebind.vision import MEAN, unit_range
from ..errors import AlignerError


def masked(pixels: torch.Tensor, mask: torch.Tensor | None, indices: torch.Tensor, count: int) -> torch.Tensor:
    """Pictures (n, 3, H, W), floats in 0..1 or uint8, of which only what a mask shows is left.

    mask: (M, h, w) in 0..1, 1 where the picture counts; it is scaled to the pictures. One for all, or one for each of
    the `count` frames of the video, of which the pictures are those of `indices` (n,). None: all of it counts, and the
    pictures stay as they are. The rest becomes the colour that ImageBind takes for the mean of all pictures.

    Raises AlignerError for another number of masks than 1 or frames, and where nothing at all is left.
    """
    if mask is None:
        return pixels
    if mask.ndim != 3 or len(mask) not in (1, count):
        raise AlignerError(
            f"A mask must be one picture, or one for each frame, but has shape {tuple(mask.shape)}. "
            "Give one mask, or as many as there are frames."
        )
    if not mask.any():
        raise AlignerError("The mask of a condition is empty, so that nothing of it would be seen. Paint what counts.")
    chosen = mask if len(mask) == 1 else mask[indices.to(mask.device)]
    neutral = torch.tensor(MEAN, device=pixels.device).view(3, 1, 1)
    seen = torch.empty_like(pixels, memory_format=torch.contiguous_format)
    for k, picture in enumerate(pixels):  # one at a time: a video in floats is four times as large as in bytes
        shown = F.interpolate(
            chosen[k % len(chosen)][None, None].float(), size=picture.shape[-2:], mode="bilinear", align_corners=False
        )[0]
        blend = torch.lerp(neutral, unit_range(picture), shown.to(picture.device).clamp(0, 1))
        seen[k] = (blend * 255).round() if pixels.dtype == torch.uint8 else blend
    return seen
