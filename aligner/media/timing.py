"""Presentation times of the frames of a video, read from packets where these are reliable, otherwise by decoding.

Demuxing costs about a hundredth of decoding, but a packet is not always a frame. Some files have no presentation
times (H.264 in AVI, raw streams). Some begin with pictures that refer to frames that were cut off. Interlaced video
may store each field in its own packet. VP8 has packets that are never shown. Such files are decoded frame by frame;
the frames are neither converted nor kept.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, cast

import torch

from ..errors import MediaError
from .animation import animation_frames, is_animation
from .clock import beginning
from .container import Source, decoded, decoder_of, describe, opened, packets_of, video_stream
from .lost_frames import LostFrames

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# FFmpeg's default, in frames per second, for pictures and raw streams that state no rate.
DEFAULT_RATE = Fraction(25)
# Codecs with packets that serve only as references and are never shown.
HIDES_FRAMES = ("vp8",)


@dataclass(frozen=True)
class Timing:
    """Presentation times of a video, exact in integer ticks.

    Attributes:
        ticks: the presentation time of each frame, ascending from 0, in ticks of `time_base` seconds.
        last: the duration of the last frame in ticks. It comes from the packet decoded last: in a file with B-frames
            the durations of other packets are differences of decode times.
        time_base: seconds per tick.
        decode_order: for each packet in file order, the number of its frame. None if the packets do not determine
            it or some are not shown; the stream can then not be copied packet by packet.
    """

    ticks: tuple[int, ...]
    last: int
    time_base: Fraction
    decode_order: tuple[int, ...] | None = None

    @property
    def duration(self) -> Fraction:
        """Seconds from the start of the first frame to the end of the last."""
        return (self.ticks[-1] + self.last) * self.time_base

    @property
    def shown(self) -> tuple[int, ...]:
        """The duration of each frame in ticks."""
        return tuple(after - before for before, after in zip(self.ticks, self.ticks[1:])) + (self.last,)

    @property
    def seconds(self) -> torch.Tensor:
        """The presentation times in seconds, (N,) float64, from 0."""
        numerator, denominator = self.time_base.as_integer_ratio()
        return torch.tensor([tick * numerator / denominator for tick in self.ticks], dtype=torch.float64)

    @staticmethod
    def even(frames: int, fps: Fraction) -> Timing:
        """The timing of `frames` frames at a constant rate, in frames per second."""
        return Timing(tuple(range(frames)), 1, 1 / fps)


def decoded_frames(source: Source) -> Generator[VideoFrame, None, None]:
    """Decode a video frame by frame, in order of presentation. Close the generator to close the file early.

    In the place of a damaged frame stands the one before, with a warning.
    """
    if is_animation(source):
        yield from animation_frames(source)
        return
    with opened(source) as container:
        stream = video_stream(container, source)
        stream.thread_type = "AUTO"
        decoder = decoder_of(stream)
        lost = LostFrames(source, _states_times(container, stream))
        for packet in packets_of(container, stream, source):
            lost.expect(packet)
            for frame in decoded(packet, source, decoder):
                yield from lost.filled(frame)
        yield from lost.rest()


def _states_times(container: InputContainer, stream: VideoStream) -> bool:
    """Whether every packet is a frame, with its presentation time. AVI has times of decoding."""
    context = stream.codec_context
    hides = context.codec.canonical_name in HIDES_FRAMES
    return not hides and not (container.format.name == "avi" and context.has_b_frames)


def read_timing(source: Source) -> tuple[Timing, VideoFrame]:
    """The timing of a video and its first frame, decoded.

    The first frame stands from the beginning of the recording on, where its sound begins before. If decoded frames have
    no ascending times, the timing is even at the average rate of the stream. Raises MediaError for a video without
    frames.
    """
    if is_animation(source):
        return _decoded_timing(source, DEFAULT_RATE, 0)
    with opened(source) as container:
        stream = video_stream(container, source)
        time_base = cast(Fraction, stream.time_base)  # demuxers set it for every stream
        rate = stream.average_rate or DEFAULT_RATE
        packets, first = _demuxed(container, stream, source)
        hidden = stream.codec_context.codec.canonical_name in HIDES_FRAMES
    times = _frame_times(packets)
    if times is None or hidden or first.interlaced_frame:
        return _decoded_timing(source, rate, packets[-1].duration)
    shown = [time for time, packet in zip(times, packets) if packet.shown]
    order = _ranks(shown) if len(shown) == len(packets) else None
    return _timing(source, shown, time_base, packets[-1].duration, rate, order), first


def _decoded_timing(source: Source, rate: Fraction, last: int) -> tuple[Timing, VideoFrame]:
    """The timing of decoded frames. last: the duration of the last packet in ticks; 0: it states none."""
    first = frame = None
    times: list[int | None] = []
    for frame in decoded_frames(source):
        first = first or frame
        times.append(frame.pts)
    if first is None or frame is None:
        raise _without_frames(source)
    known = [time for time in times if time is not None]
    if len(known) < len(times) or not _ascending(known):
        return Timing.even(len(times), rate), first
    return _timing(source, known, cast(Fraction, first.time_base), last or frame.duration or 0, rate, None), first


def _timing(
    source: Source,
    times: Sequence[int],
    time_base: Fraction,
    last: int,
    rate: Fraction,
    order: tuple[int, ...] | None,
) -> Timing:
    start, *later = sorted(times)
    late = max(0, round((start * time_base - beginning(source)) / time_base))
    last = last or _mean_gap([start, *later]) or max(1, round(1 / (rate * time_base)))
    return Timing((0, *(time - start + late for time in later)), last if later else last + late, time_base, order)


class _Packet(NamedTuple):
    """The header of a packet, without its data. Times are in ticks."""

    pts: int | None
    duration: int
    keyframe: bool
    shown: bool
    damaged: bool


def _demuxed(container: InputContainer, stream: VideoStream, source: Source) -> tuple[list[_Packet], VideoFrame]:
    """The headers of all packets in file order, and the first frame. Raises MediaError if there is none."""
    packets: list[_Packet] = []
    first: VideoFrame | None = None
    for packet in packets_of(container, stream, source):
        if packet.size:
            header = packet.pts, packet.duration or 0, packet.is_keyframe, not packet.is_discard, packet.is_corrupt
            packets.append(_Packet(*header))
        first = first or next(iter(decoded(packet, source)), None)
    if first is None:
        raise _without_frames(source)
    return packets, first


def _without_frames(source: Source) -> MediaError:
    return MediaError(f"{describe(source)} has no video frame that can be decoded: use another video.")


def _frame_times(packets: list[_Packet]) -> list[int] | None:
    """The presentation time of each packet; None if packets cannot be equated with frames.

    They can if all are whole and have distinct times, and the first is a key frame that is shown first. Otherwise
    pictures at the start may refer to frames that are not in the file.
    """
    if any(packet.damaged for packet in packets):
        return None
    times = [packet.pts for packet in packets if packet.pts is not None]
    distinct = len(times) == len(packets) == len(set(times))
    return times if distinct and packets[0].keyframe and times[0] == min(times) else None


def _ranks(times: Sequence[int]) -> tuple[int, ...]:
    """The position of each time in ascending order."""
    rank = {time: place for place, time in enumerate(sorted(times))}
    return tuple(rank[time] for time in times)


def _ascending(times: Sequence[int]) -> bool:
    return all(before < after for before, after in zip(times, times[1:]))


def _mean_gap(times: Sequence[int]) -> int:
    """The rounded mean difference of consecutive times; 0 for fewer than two times."""
    return round((times[-1] - times[0]) / (len(times) - 1)) if len(times) > 1 else 0
