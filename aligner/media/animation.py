"""Pictures that move, in formats that Pillow reads better than FFmpeg: transparency of AVIF, animations of WebP."""

from __future__ import annotations

import os
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

from .container import Source, reading

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

#: Pillow counts durations in milliseconds.
_TIME_BASE = Fraction(1, 1000)
_HEADER_BYTES = 12


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
    from PIL import Image, ImageSequence

    if not isinstance(source, (str, os.PathLike)):
        source.seek(0)
    with reading(source), Image.open(source) as animation:
        time = 0
        for picture in ImageSequence.Iterator(animation):
            frame = av.VideoFrame.from_ndarray(numpy.asarray(picture.convert("RGBA")), format="rgba")
            duration = round(picture.info.get("duration", 0))
            frame.pts, frame.time_base, frame.duration = time, _TIME_BASE, duration
            yield frame
            time += duration


def _header(source: Source) -> bytes:
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(_HEADER_BYTES)
    source.seek(0)
    return source.read(_HEADER_BYTES)
