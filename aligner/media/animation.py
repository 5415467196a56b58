"""Pictures that move, in formats that Pillow reads better than FFmpeg: transparency of AVIF, animations of WebP."""

from __future__ import annotations

import os
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

from ..errors import MediaError
from .container import Source, describe, reading, warn_of_damage
from .image import of_any_size, require_pixels

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

#: Pillow counts durations in milliseconds.
_TIME_BASE = Fraction(1, 1000)
#: In milliseconds. Browsers show frames without a duration so long.
_UNSTATED = 100
_HEADER_BYTES = 12
#: What Pillow raises for files that are damaged or cut off.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError)


def is_animation(source: Source) -> bool:
    """Whether a source is a WebP or AVIF file that this Pillow can read."""
    from PIL import features

    header = _header(source)
    if header[:4] == b"RIFF" and header[8:] == b"WEBP":
        return bool(features.check("webp"))
    return header[4:] in (b"ftypavis", b"ftypavif") and bool(features.check("avif"))


def animation_frames(source: Source) -> Generator[VideoFrame, None, None]:
    """The frames of an animation with their transparency, one after the other. A picture is one frame."""
    import av
    from PIL import Image, ImageOps, ImageSequence

    if not isinstance(source, (str, os.PathLike)):
        source.seek(0)
    time, first = 0, True
    try:
        with reading(source), of_any_size(), Image.open(source) as animation:
            require_pixels(animation, describe(source))
            for picture in ImageSequence.Iterator(animation):
                upright = ImageOps.exif_transpose(picture).convert("RGBA")
                frame = av.VideoFrame.from_ndarray(numpy.asarray(upright), format="rgba")
                duration = round(picture.info.get("duration", 0)) or _UNSTATED
                frame.pts, frame.time_base, frame.duration = time, _TIME_BASE, duration
                yield frame
                first, time = False, time + duration
    except _DAMAGED as error:
        if first:
            raise MediaError(f"{describe(source)} cannot be read ({error}). Use another picture.") from error
        warn_of_damage(source)


def _header(source: Source) -> bytes:
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(_HEADER_BYTES)
    source.seek(0)
    return source.read(_HEADER_BYTES)
