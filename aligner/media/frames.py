"""Decoding of selected frames of a video, rotated as displayed."""

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
    """Read the frames with the given indices, counted from 0 in order of presentation.

    The video is decoded up to the last of these frames instead of seeking: counting is exact in every container, and
    seeking would save little, because the frames are usually spread over the whole video. Only the selected frames
    are converted and kept in memory.

    Args:
        indices: frame numbers in any order, with or without repetitions.
        longest_side: in pixels; larger frames are scaled down to it.

    Returns:
        uint8 (len(indices), H, W, 3) RGB, rotated as displayed. Row i is frame indices[i]. Frames that differ in
        size from the first frame are scaled to its size.

    Raises:
        MediaError: an index is negative or beyond the last frame, or the video cannot be decoded.

    Example:
        first_and_tenth = read_frames("clip.mp4", [0, 9], longest_side=512)
    """
    if any(index < 0 for index in indices):
        raise MediaError(f"{describe(source)}: frames are counted from 0, but {min(indices)} was requested.")
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
    raise MediaError(f"{describe(source)} has {number + 1} frames, but number {last} (from 0) was requested.")


def _shrunk(width: int, height: int, longest_side: int | None) -> tuple[int, int]:
    scale = min(1.0, (longest_side or max(width, height)) / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def upright(frame: VideoFrame, width: int, height: int, rotation: int) -> torch.Tensor:
    """A decoded frame as uint8 RGB (H, W, 3), scaled to `width` x `height` and then rotated clockwise.

    rotation: a multiple of 90 degrees.
    """
    pixels = torch.from_numpy(frame.to_ndarray(width=width, height=height, format="rgb24", dst_colorspace="DEFAULT"))
    return torch.rot90(pixels, -rotation // 90)
