"""Pixels to the input of ImageBind's vision tower: batched, differentiable, on the pixels' device."""

from __future__ import annotations

from typing import Literal

import torch

from ...tensors.precision import full_precision
from ...tensors.resizing import resized
from .towers import IMAGE_SIDE

#: CLIP's statistics of RGB values in 0..1.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def image_input(pixels: torch.Tensor) -> torch.Tensor:
    """Pictures (B, 3, H, W) in 0..1 -> (B, 3, 1, 224, 224), normalised.

    Bicubic to a short side of 224, then a centre crop. Upstream resizes 8-bit pictures with PIL, whose filter
    is the same but which rounds to whole 8-bit values after each axis. Nothing is rounded here: values differ
    by a quarter of an 8-bit step on average, by up to three steps in pure noise.
    """
    pixels, short_side = full_precision(pixels), min(pixels.shape[-2:])
    for axis in (-1, -2):
        length = int(IMAGE_SIDE * pixels.shape[axis] / short_side)
        whole = resized(pixels, axis, length, mode="bicubic", antialias=True)
        # A bicubic filter overshoots at edges; the bytes that PIL makes after each axis cannot.
        pixels = whole.narrow(axis, round((length - IMAGE_SIDE) / 2), IMAGE_SIDE).clamp(0, 1)
    return _normalise(pixels.unsqueeze(2))


def clip_input(frames: torch.Tensor, crops: Literal["squash", "three"]) -> torch.Tensor:
    """Clips (S, 3, T, H, W) in 0..1 -> (S, crops, 3, T, 224, 224), normalised; 1 or 3 crops.

    Both ways first bring the short side to 224 by bilinear interpolation without antialiasing (pytorchvideo's
    ShortSideScale). "squash" then shrinks the long side to 224 as well, with antialiasing (torchvision's
    Resize, as released); "three" cuts squares from the start, the middle and the end of the long side
    (ImageBind upstream).
    """
    height, width = frames.shape[-2:]
    long_axis, short_axis = (-2, -1) if height > width else (-1, -2)
    length = int(max(height, width) / min(height, width) * IMAGE_SIDE)
    # The filters are separable. The long side goes first: even a strip of one pixel by thousands stays small.
    flat = resized(full_precision(frames).flatten(1, 2), long_axis, length, mode="bilinear", antialias=False)
    if crops == "squash":
        views = [resized(flat, long_axis, IMAGE_SIDE, mode="bilinear", antialias=True)]
    else:
        spare = length - IMAGE_SIDE
        views = [flat.narrow(long_axis, start, IMAGE_SIDE) for start in (0, (spare + 1) // 2, spare)]
    views = [resized(view, short_axis, IMAGE_SIDE, mode="bilinear", antialias=False) for view in views]
    return torch.stack([_normalise(view.unflatten(1, frames.shape[1:3])) for view in views], dim=1)


def _normalise(clips: torch.Tensor) -> torch.Tensor:
    """(N, 3, T, H, W), RGB in 0..1."""
    mean, std = (clips.new_tensor(values).view(3, 1, 1, 1) for values in (MEAN, STD))
    return (clips - mean) / std
