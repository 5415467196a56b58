"""The clock of a recording: the moment at which a player begins, for its pictures and its sound alike."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import cast

from .animation import is_animation
from .container import Source, audio_stream_of, decoded, opened, packets_of, video_stream_of

#: Seconds. Encoders of sound begin and end with some silence, and many files do not say so.
LEAD_IN = Fraction(3, 20)
#: Microseconds from the end that are read to find the last picture.
_LAST = 5_000_000


def beginning(source: Source) -> Fraction:
    """When a recording begins, in seconds of its container: where the first of picture and sound begins.

    A sound that begins less than 0.15 seconds before the picture begins with the picture, so that frames of a
    constant rate stay evenly spaced. Raises MediaError if the source is no recording.
    """
    if is_animation(source):
        return Fraction(0)
    with opened(source) as container:
        video, audio = video_stream_of(container), audio_stream_of(container)
        starts: dict[str, Fraction] = {}
        wanted = [stream for stream in (video, audio) if stream is not None]
        for packet in container.demux(*wanted):
            if packet.stream.type not in starts:
                times = [frame.pts * frame.time_base for frame in decoded(packet) if frame.pts is not None]
                starts |= {packet.stream.type: min(times)} if times else {}
            if len(starts) == len(wanted):
                break
    if not starts:
        return Fraction(0)
    first = min(starts.values())
    pictures = starts.get("video", first)
    return pictures if pictures - first < LEAD_IN else first


def pictures_end(source: Source) -> Fraction | None:
    """When the pictures of a recording end, in seconds of its container; None without pictures.

    Only the last seconds are read. What containers say of their length is often wrong.
    """
    import av

    if is_animation(source):
        return None
    with opened(source) as container:
        stream = video_stream_of(container)
        if stream is None:
            return None
        if container.duration:
            # Where a container cannot seek it is read from its beginning.
            with suppress(av.FFmpegError):
                container.seek(max(0, (container.start_time or 0) + container.duration - _LAST))
        tick = cast(Fraction, stream.time_base)
        frame = 1 / stream.average_rate if stream.average_rate else Fraction(0)
        ends = [
            packet.pts * tick + ((packet.duration or 0) * tick or frame)
            for packet in packets_of(container, stream, source)
            if packet.pts is not None
        ]
    return max(ends, default=None)
