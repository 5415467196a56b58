"""Opening media with PyAV: containers from paths and file objects, and its errors as `MediaError`."""

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

# A file with the suffix of a clip may be a playlist; this keeps FFmpeg from opening its network addresses.
LOCAL_FILES_ONLY = {"protocol_whitelist": "file"}
# The file does not contain FFmpeg's version, so that the same input gives the same bytes.
REPRODUCIBLE = {"fflags": "+bitexact"}


def describe(source: Source) -> str:
    """The name of a source in messages."""
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
    """Open a source as a PyAV container. A file object is read from its beginning and is not closed.

    Raises MediaError if there is no such file or it cannot be decoded, also for errors within the context.
    """
    import av

    if isinstance(source, (str, os.PathLike)):
        if not Path(source).is_file():
            raise MediaError(f"{source} is not a file: check the name and the folder.")
        target: str | BinaryIO = f"file:{os.fspath(source)}"  # or FFmpeg reads a name with a colon as a protocol
    else:
        source.seek(0)
        target = source
    with reading(source), av.open(target, "r", container_options=LOCAL_FILES_ONLY) as container:
        yield container


@contextmanager
def created(path: Path, **options: str) -> Iterator[OutputContainer]:
    """Open a PyAV container that writes `path`, in the format of its suffix, with options of the muxer.

    Raises MediaError if the file cannot be written or the encoder is missing.
    """
    import av
    from av.codec.codec import UnknownCodecError

    try:
        with av.open(f"file:{path}", "w", options={**REPRODUCIBLE, **options}) as container:
            yield container
    except av.FFmpegError as error:
        raise MediaError(f"{path.parent}: no {path.suffix} file can be written there ({error.strerror}).") from error
    except UnknownCodecError as error:
        raise MediaError(
            f"this build of PyAV lacks the encoder {error}: install the official wheel (pip install av)."
        ) from error


def video_stream(container: InputContainer, source: Source) -> VideoStream:
    """The first video stream of a container. Cover pictures are skipped. Raises MediaError if there is none."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return _decodable(stream, source)
    raise MediaError(f"{describe(source)} has no video stream: choose a video.")


def audio_stream(container: InputContainer, source: Source) -> AudioStream:
    """The first audio stream of a container. Raises MediaError if there is none."""
    for stream in container.streams.audio:
        return _decodable(stream, source)
    raise MediaError(f"{describe(source)} has no audio stream: choose a file with sound.")


def _decodable(stream, source: Source):
    if stream.codec_context is None:
        raise MediaError(f"{describe(source)}: there is no decoder for its {stream.type}; convert the file first.")
    return stream
