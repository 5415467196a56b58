"""Decoding of selected frames of a video, as they are displayed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import torch

from ..errors import MediaError
from ..parts import reached
from .colour import Screen
from .container import Source, describe
from .geometry import Geometry, read_geometry
from .timing import decoded_frames

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


class Display:
    """Shows decoded frames of one video. scale: of the displayed size, above 0."""

    def __init__(self, geometry: Geometry, scale: float = 1.0):
        width, height = (max(1, round(side * scale)) for side in (geometry.width, geometry.height))
        self._geometry, self._screen = geometry, Screen(width, height)
        #: Of a shown frame.
        self.shape = (width, height, 3) if geometry.turned else (height, width, 3)

    def shown(self, frame: VideoFrame) -> torch.Tensor:
        """A frame as a screen shows it, uint8 (H, W, 3) RGB: upright, with square pixels, on white, HDR as SDR."""
        return self._geometry.upright(self._screen.shown(frame))


def read_frames(source: Source, indices: Sequence[int], *, longest_side: int | None = None) -> torch.Tensor:
    """Read the frames with the given indices, counted from 0 in order of presentation.

    The video is decoded up to the last of these frames instead of seeking: counting is exact in every container, and
    seeking would save little, because the frames are usually spread over the whole video. Only the selected frames
    are converted and kept in memory.

    Args:
        indices: frame numbers in any order, with or without repetitions.
        longest_side: in pixels; larger frames are scaled down to it.

    Returns:
        uint8 (len(indices), H, W, 3) RGB as a screen shows it: upright, with square pixels, transparent parts white,
        HDR as SDR. Row i is frame indices[i]. Frames that differ in size from the first frame are scaled to its size.

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
    result = torch.empty((len(indices), *_display(source, longest_side).shape), dtype=torch.uint8)
    for index, frame in shown_frames(source, rows, longest_side=longest_side):
        result[rows[index]] = frame
    return result


def shown_frames(
    source: Source, indices: Collection[int], *, longest_side: int | None = None
) -> Iterator[tuple[int, torch.Tensor]]:
    """The same frames one by one, ascending, for more than memory holds: the index, and uint8 (H, W, 3) RGB."""
    wanted = set(indices)
    display = _display(source, longest_side)
    last, number = max(wanted, default=-1), -1
    if last < 0:
        return
    with closing(decoded_frames(source)) as frames:
        for number, frame in enumerate(frames):
            reached(number, last + 1)
            if number in wanted:
                yield number, display.shown(frame)
            if number == last:
                return
    raise MediaError(f"{describe(source)} has {number + 1} frames, but number {last} (from 0) was requested.")


def _display(source: Source, longest_side: int | None) -> Display:
    geometry = read_geometry(source)
    return Display(geometry, min(1.0, (longest_side or max(geometry.displayed)) / max(geometry.displayed)))
