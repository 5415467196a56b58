"""Opening media: where paths and file objects become PyAV containers, and its errors become ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..errors import MediaError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream

Source = str | os.PathLike | BinaryIO

# A playlist in the disguise of a clip must not make FFmpeg reach for the network.
LOCAL_FILES_ONLY = {"protocol_whitelist": "file"}
# The same input gives the same bytes: no version number of FFmpeg in the file.
REPRODUCIBLE = {"fflags": "+bitexact"}


def describe(source: Source) -> str:
    """What to call `source` in a message."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return str(getattr(source, "name", "the file object"))


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Turn PyAV's errors into a `MediaError` that names `source`."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        raise MediaError(
            f"{describe(source)} cannot be read ({error.strerror}). It is damaged, cut short or not a media "
            "file: try another copy, or convert it first, for example with `ffmpeg -i INPUT output.mp4`."
        ) from error


@contextmanager
def opened(source: Source) -> Iterator[InputContainer]:
    """`source` as a PyAV container; a file object is read from its beginning and stays open afterwards."""
    import av

    if isinstance(source, (str, os.PathLike)):
        if not Path(source).is_file():
            raise MediaError(f"{source} is not a file: check the name and the folder.")
        target = f"file:{os.fspath(source)}"  # a colon in a name is not a protocol
    else:
        source.seek(0)
        target = source
    with reading(source), av.open(target, container_options=LOCAL_FILES_ONLY) as container:
        yield container


@contextmanager
def created(path: Path, **options: str) -> Iterator[OutputContainer]:
    """A PyAV container that writes `path`, its format chosen by the suffix."""
    import av
    from av.codec.codec import UnknownCodecError

    try:
        with av.open(f"file:{path}", "w", options={**REPRODUCIBLE, **options}) as container:
            yield container
    except av.FFmpegError as error:
        raise MediaError(f"no {path.suffix} can be written to {path.parent} ({error.strerror}).") from error
    except UnknownCodecError as error:
        raise MediaError(f"this PyAV lacks the encoder {error}: install its wheel (pip install av).") from error


def video_stream(container: InputContainer, source: Source) -> VideoStream:
    """The first moving picture of `container`; the cover picture of an album is not one."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return _decodable(stream, source)
    raise MediaError(f"{describe(source)} has no video stream: a video is needed, not a sound.")


def audio_stream(container: InputContainer, source: Source) -> AudioStream:
    """The first sound of `container`."""
    for stream in container.streams.audio:
        return _decodable(stream, source)
    raise MediaError(f"{describe(source)} has no audio stream: choose a file with sound.")


def _decodable(stream, source: Source):
    if stream.codec_context is None:
        raise MediaError(f"{describe(source)}: no decoder for its {stream.type}; convert the file first.")
    return stream
