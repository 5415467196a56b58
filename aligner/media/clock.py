"""The clock of a recording: the moment at which a player begins, for its pictures and its sound alike."""

from __future__ import annotations

from fractions import Fraction

from .animation import is_animation
from .container import Source, audio_stream_of, decoded, opened, video_stream_of

#: Seconds. Encoders of sound begin with some silence. A file that does not say so shows its pictures that much later.
_LEAD_IN = Fraction(1, 10)


def beginning(source: Source) -> Fraction:
    """When a recording begins, in seconds of its container: where the first of picture and sound begins.

    A sound that begins less than a tenth of a second before the picture begins with the picture, so that frames of a
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
    return pictures if pictures - first < _LEAD_IN else first
