"""The gates of pictures and masks."""

from __future__ import annotations

import torch

from ..errors import AlignerError
from .tensors import real_tensor, require_within

#: Upscalers and colour nodes overshoot 0..1 a little. Beyond this a picture is something else, such as 0..255.
LOWEST, HIGHEST = -1.0, 2.0


def pictures(value: object, what: str) -> torch.Tensor:
    """ComfyUI's IMAGE, (B, H, W, C) floats of 1, 3 or 4 channels, none 0. They may overshoot 0..1 a little.

    what: its name for messages. Raises AlignerError for anything else. The frames of a long video are not copied.
    """
    image = real_tensor(value, what)
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4):
        raise AlignerError(
            f"{what}: an IMAGE must have shape (frames, height, width, channels) with 1, 3 or 4 channels, but this has "
            f"{tuple(image.shape)}."
        )
    if not image.is_floating_point():
        raise AlignerError(f"{what}: an IMAGE must hold floats in 0..1, not {image.dtype}.")
    if not image.numel():
        raise AlignerError(
            f"{what} is an IMAGE of {len(image)} frames of {image.shape[2]} x {image.shape[1]} pixels: there is "
            "nothing to see. Check the node that made it."
        )
    require_within(image, LOWEST, HIGHEST, what, "An IMAGE lies in 0..1. Check the node that made it.")
    return image


def mask(value: object, what: str) -> torch.Tensor:
    """ComfyUI's MASK, (M, h, w) or (h, w), as (M, h, w) float32 in 0..1. Raises AlignerError for anything else."""
    painted = real_tensor(value, what)
    if painted.dtype == torch.bool:
        painted = painted.float()
    if painted.ndim == 2:
        painted = painted[None]
    if painted.ndim != 3 or not painted.numel() or not painted.is_floating_point():
        raise AlignerError(
            f"{what}: a mask must be floats of shape (pictures, height, width) and not empty, but this is "
            f"{painted.dtype} of shape {tuple(painted.shape)}."
        )
    require_within(painted, LOWEST, HIGHEST, what, "A mask lies in 0..1. Check the node that made it.")
    return painted.float().clamp(0, 1)
