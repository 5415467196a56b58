"""Opening media with PyAV: containers from paths and file objects, and its errors as `MediaError`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import MediaError, MediaWarning

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

Source = str | os.PathLike | BinaryIO

# A file with the suffix of a clip may be a playlist; this keeps FFmpeg from opening its network addresses.
LOCAL_FILES_ONLY = {"protocol_whitelist": "file"}
# The file does not contain FFmpeg's version, so that the same input gives the same bytes.
REPRODUCIBLE = {"fflags": "+bitexact"}
#: Decoders that know transparency, by FFmpeg's names of their codecs.
_WITH_TRANSPARENCY = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


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
    """The video stream that players show, see `video_stream_of`. Raises MediaError if there is none."""
    stream = video_stream_of(container)
    if stream is None:
        raise MediaError(f"{describe(source)} has no video stream: choose a video.")
    return _decodable(stream, source)


def audio_stream(container: InputContainer, source: Source) -> AudioStream:
    """The audio stream that players play, see `audio_stream_of`. Raises MediaError if there is none."""
    stream = audio_stream_of(container)
    if stream is None:
        raise MediaError(f"{describe(source)} has no audio stream: choose a file with sound.")
    return _decodable(stream, source)


def video_stream_of(container: InputContainer) -> VideoStream | None:
    """The video stream that the file marks as default, or the first. Cover pictures are no video.

    A still gives way to a sequence in the same file.
    """
    from av.stream import Disposition

    streams = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    return _default([each for each in streams if each.frames != 1] or streams)


def audio_stream_of(container: InputContainer) -> AudioStream | None:
    """The audio stream that the file marks as default, or the first."""
    return _default(list(container.streams.audio))


def _default(streams: list) -> Any:
    from av.stream import Disposition

    # Players pass over what they cannot decode.
    known = [each for each in streams if each.codec_context is not None] or streams
    marked = [each for each in known if each.disposition & Disposition.default]
    return next(iter(marked + known), None)


def _decodable(stream, source: Source):
    if stream.codec_context is None:
        raise MediaError(f"{describe(source)}: there is no decoder for its {stream.type}; convert the file first.")
    return stream


def packets_of(container: InputContainer, streams: Any, source: Source) -> Iterator[Packet]:
    """The packets of one or several streams. Where a damaged file ends too early they end there, with a warning."""
    import av

    try:
        for packet in container.demux(streams):
            if packet.is_corrupt:
                warn_of_damage(source)
            yield packet
    except av.FFmpegError:
        warn_of_damage(source)


def decoder_of(stream: VideoStream) -> Any:
    """What decodes a video stream with its transparency; None: the stream's own decoder.

    FFmpeg's own decoders of VP8 and VP9 leave transparency out.
    """
    import av

    name = _WITH_TRANSPARENCY.get(stream.codec_context.codec.canonical_name)
    transparent = {key.lower(): value for key, value in stream.metadata.items()}.get("alpha_mode") == "1"
    if not transparent or name is None:
        return None
    return av.CodecContext.create(name, "r")


def decoded(packet: Packet, source: Source | None = None, decoder: Any = None) -> list:
    """The frames of a packet. Of what is damaged there are none, with a warning where the source is given."""
    import av

    try:
        return packet.decode() if decoder is None else decoder.decode(packet if packet.size else None)
    except av.FFmpegError:
        if source is not None:
            warn_of_damage(source)
        return []


def warn_of_damage(source: Source) -> None:
    message = f"{describe(source)} is damaged or cut short. What can be decoded of it is used."
    warnings.warn(message, MediaWarning, stacklevel=2)
