"""Decoded frames, upright, and no more of them than were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import torch

from ..errors import MediaError
from .container import Source, describe
from .probe import clockwise_rotation
from .timing import decoded_frames

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


def read_frames(source: Source, indices: Sequence[int], *, longest_side: int | None = None) -> torch.Tensor:
    """The frames with the given numbers, counted from 0 in the order of presentation.

    The file is decoded up to the last frame asked for: clips are spread over a whole video, so that seeking
    would save little, and counting is exact in every container. Only frames asked for are converted and held.

    Args:
        indices: any order, repetitions welcome; an entry per row of the result.
        longest_side: frames that are larger are scaled down to it, in pixels.

    Returns:
        uint8 (len(indices), H, W, 3) RGB, turned as displayed. Frames that differ in size from the
        first are scaled to it.

    Raises:
        MediaError: a number is negative or beyond the last frame, or the video cannot be decoded.
    """
    if any(index < 0 for index in indices):
        raise MediaError(f"{describe(source)}: frames are counted from 0, but {min(indices)} was asked for.")
    rows: dict[int, list[int]] = {}
    for row, index in enumerate(indices):
        rows.setdefault(index, []).append(row)
    last = max(rows, default=0)
    result = torch.empty(0)
    number = -1
    with closing(decoded_frames(source)) as frames:
        for number, frame in enumerate(frames):
            if number == 0:
                width, height = _shrunk(frame.width, frame.height, longest_side)
                rotation = clockwise_rotation(frame)
                size = (width, height) if rotation in (90, 270) else (height, width)
                result = torch.empty((len(indices), *size, 3), dtype=torch.uint8)
            if number in rows:
                result[rows[number]] = upright(frame, width, height, rotation)
            if number == last:
                return result
    raise MediaError(f"{describe(source)} has {number + 1} frames, but number {last} (from 0) was asked for.")


def _shrunk(width: int, height: int, longest_side: int | None) -> tuple[int, int]:
    scale = min(1.0, (longest_side or max(width, height)) / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def upright(frame: VideoFrame, width: int, height: int, rotation: int) -> torch.Tensor:
    """A decoded frame as uint8 RGB (H, W, 3), scaled to `width` x `height` and then turned clockwise."""
    pixels = torch.from_numpy(frame.to_ndarray(width=width, height=height, format="rgb24", dst_colorspace="DEFAULT"))
    return torch.rot90(pixels, -rotation // 90)
