"""When each frame of a video is shown, read from packets wherever the packets can be trusted.

Demuxing costs a hundredth of decoding, but a packet is not always a frame: some files keep no presentation
times (H.264 in AVI, raw streams), some begin with pictures that refer to what was cut away, interlaced video
may put each field into a packet of its own, and VP8 has packets that are never shown. Such files are decoded
frame by frame, without converting or keeping any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..errors import MediaError
from .container import Source, describe, opened, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# What FFmpeg itself assumes for pictures and raw streams that state no rate.
DEFAULT_RATE = Fraction(25)
# Codecs with packets that only serve as references and are never shown.
HIDES_FRAMES = ("vp8",)


@dataclass(frozen=True)
class Timing:
    """The clock of a video, exact in integer ticks.

    Attributes:
        ticks: when each frame is shown, ascending, the first at 0; a tick lasts `time_base` seconds.
        last: how many ticks the last frame stays. The packet decoded last tells: in a file with B-frames the
            durations of all others are distances between decode times.
        time_base: seconds per tick.
        decode_order: for each packet in file order, which frame it holds; None where packets do not tell, or
            where some of them are not to be shown, so that the stream cannot be copied packet by packet.
    """

    ticks: tuple[int, ...]
    last: int
    time_base: Fraction
    decode_order: tuple[int, ...] | None = None

    @property
    def duration(self) -> Fraction:
        """Seconds from the first frame's appearance to the last one's end."""
        return (self.ticks[-1] + self.last) * self.time_base

    @property
    def shown(self) -> tuple[int, ...]:
        """For how many ticks each frame stays."""
        return tuple(after - before for before, after in zip(self.ticks, self.ticks[1:])) + (self.last,)

    @property
    def seconds(self) -> torch.Tensor:
        """(N,) float64 seconds from the first frame."""
        numerator, denominator = self.time_base.as_integer_ratio()
        return torch.tensor([tick * numerator / denominator for tick in self.ticks], dtype=torch.float64)

    @staticmethod
    def even(frames: int, fps: Fraction) -> Timing:
        """`frames` frames at a constant rate."""
        return Timing(tuple(range(frames)), 1, 1 / fps)


def decoded_frames(source: Source) -> Iterator[VideoFrame]:
    """Every frame of a video in the order of presentation, one at a time."""
    with opened(source) as container:
        stream = video_stream(container, source)
        stream.thread_type = "AUTO"
        yield from container.decode(stream)


def read_timing(source: Source) -> tuple[Timing, VideoFrame]:
    """The timing of a video, and its first frame decoded."""
    with opened(source) as container:
        stream = video_stream(container, source)
        time_base, rate = stream.time_base, stream.average_rate or DEFAULT_RATE
        packets, first = _demuxed(container, stream, source)
        hidden = stream.codec_context.codec.canonical_name in HIDES_FRAMES
    if _packets_are_frames(packets) and not hidden and not first.interlaced_frame:
        times = [packet.pts for packet in packets if packet.shown]
        order = _ranks(times) if len(times) == len(packets) else None
    else:
        times = [frame.pts for frame in decoded_frames(source)]
        order = None
        if not _ascending(times):
            return Timing.even(len(times), rate), first
    start, *_ = times = sorted(times)
    last = packets[-1].duration or _usual_gap(times) or max(1, round(1 / (rate * time_base)))
    return Timing(tuple(time - start for time in times), last, time_base, order), first


class _Packet(NamedTuple):
    """What a packet says about the frame in it; its data is not kept."""

    pts: int | None
    duration: int
    keyframe: bool
    shown: bool


def _demuxed(container: InputContainer, stream: VideoStream, source: Source) -> tuple[list[_Packet], VideoFrame]:
    """All packets in file order, and the first frame."""
    packets: list[_Packet] = []
    first: VideoFrame | None = None
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise MediaError(f"{describe(source)} is cut short or damaged: use a complete copy of the file.")
        if packet.size:
            packets.append(_Packet(packet.pts, packet.duration or 0, packet.is_keyframe, not packet.is_discard))
        first = first or next(iter(packet.decode()), None)
    if first is None:
        raise MediaError(f"{describe(source)} holds no frame that can be shown: use a video with pictures.")
    return packets, first


def _packets_are_frames(packets: list[_Packet]) -> bool:
    """Whether each packet has its own time, and none at the start refers to what is not there."""
    times = [packet.pts for packet in packets]
    return None not in times and len(set(times)) == len(times) and packets[0].keyframe and packets[0].pts == min(times)


def _ranks(times: Sequence[int]) -> tuple[int, ...]:
    rank = {time: place for place, time in enumerate(sorted(times))}
    return tuple(rank[time] for time in times)


def _ascending(times: Sequence[int | None]) -> bool:
    return None not in times and all(before < after for before, after in zip(times, times[1:]))


def _usual_gap(times: Sequence[int]) -> int:
    return round((times[-1] - times[0]) / (len(times) - 1)) if len(times) > 1 else 0
