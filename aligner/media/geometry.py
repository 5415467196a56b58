"""Geometry: how the stored pictures of a video stand on a screen."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy
import torch

from ..errors import MediaError
from .animation import is_animation
from .container import Source, describe, opened, video_stream
from .image import exif_orientation
from .timing import decoded_frames

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

#: Whether the axes are exchanged, and which are mirrored then; by EXIF's orientation of stills.
_UPRIGHT = (False, False, False)
_EXIF = {
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}
#: A pixel that is so much wider than high, or the other way round, is a mistake in the file.
_MOST_ASPECT = 16


@dataclass(frozen=True)
class Geometry:
    """How stored pictures are displayed: pixels become square, then the axes are exchanged, then mirrored.

    Pixels that are not square grow, so that none is lost.

    width, height: of the stored picture with square pixels, in pixels. turned: whether the axes are exchanged.
    mirrored_x, mirrored_y: whether left and right, top and bottom are exchanged.
    """

    width: int
    height: int
    turned: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @property
    def displayed(self) -> tuple[int, int]:
        """Width and height on a screen."""
        return (self.height, self.width) if self.turned else (self.width, self.height)

    @property
    def as_stored(self) -> bool:
        """Whether the picture is stored upright."""
        return not (self.turned or self.mirrored_x or self.mirrored_y)

    def upright(self, pixels: torch.Tensor) -> torch.Tensor:
        """A stored picture (H, W, ...) as displayed."""
        upright = pixels.transpose(0, 1) if self.turned else pixels
        axes = [axis for axis, mirrored in enumerate((self.mirrored_y, self.mirrored_x)) if mirrored]
        return upright.flip(axes)


def read_geometry(source: Source) -> Geometry:
    """The geometry of a video. Raises MediaError for one without frames."""
    with closing(decoded_frames(source)) as frames:
        first = next(frames, None)
    if first is None:
        raise MediaError(f"{describe(source)} has no video frame that can be decoded: use another video.")
    return geometry_of(source, first)


def geometry_of(source: Source, first: VideoFrame) -> Geometry:
    """The geometry of a video whose first frame was decoded."""
    aspect = _pixel_aspect(source)
    width, height = first.width, first.height
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return Geometry(*size, *_orientation(source, first))


def _pixel_aspect(source: Source) -> Fraction:
    """Width over height of a stored pixel. The container's word counts before the bitstream's, as for players."""
    if is_animation(source):
        return Fraction(1)
    with opened(source) as container:
        stream = video_stream(container, source)
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
    return aspect if Fraction(1, _MOST_ASPECT) <= aspect <= _MOST_ASPECT else Fraction(1)


def _orientation(source: Source, frame: VideoFrame) -> tuple[bool, bool, bool]:
    """Whether the axes are exchanged, and which are mirrored then, by the display matrix.

    The matrix (a b u; c d v; x y w) maps a stored place (p, q) to (a p + c q, b p + d q); ISO/IEC 14496-12, 6.2.2.
    Turns between the quarters of a circle count as the nearest of them.
    """
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV stumbles over side data that it does not know, such as EXIF of stills
        return _EXIF.get(exif_orientation(source), _UPRIGHT)
    if matrix is None:
        return _UPRIGHT
    a, b, _, c, d = numpy.frombuffer(matrix, dtype=numpy.int32)[:5].tolist()  # type: ignore[call-overload]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0
