"""Writing of MP4 files with H.264 video and AAC sound, which all common players support."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy
import torch
from torch.nn import functional

from ..tensors.resampling import resampled
from .container import Source, created, opened, reading, video_stream
from .sound import LAYOUTS, encodable, sound_packets
from .timing import Timing

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

#: FFmpeg's names of the codecs that players know in MP4.
MP4_CODECS = ("h264", "hevc", "av1")
# crf 18 is visually lossless. Without B-frames decoding order is presentation order, so that the durations in the
# file are the durations on screen, also at a variable frame rate.
H264_ENCODER: Final = "libx264"
H264_OPTIONS = {"crf": "18", "bf": "0"}
# Players assume BT.709 in limited range. 1 is H.264's code of BT.709, and FFmpeg's code of limited range.
BT709, LIMITED_RANGE = 1, 1
# AAC allows at most 6 bits per sample (6144 per frame of 1024 samples). More than 128 kbit/s per channel gains nothing.
# FFmpeg's "fast" coder is more accurate here than "twoloop", which smears the first frame and pure tones.
AAC_BITS_PER_SAMPLE, AAC_MOST_BITS_PER_SECOND = 6, 128_000
AAC_OPTIONS = {"aac_coder": "fast", "aac_pns": "0"}


@dataclass(frozen=True)
class Soundtrack:
    """A waveform (C, T) as long as its video, in -1..1 and at a sample rate that AAC supports."""

    waveform: torch.Tensor
    sample_rate: int

    @staticmethod
    def fitted(waveform: torch.Tensor, sample_rate: int, duration: Fraction) -> Soundtrack:
        """Clip a waveform to -1..1 and cut or zero-pad it to `duration` seconds, at the nearest rate that AAC has.

        Raises AlignerError for a waveform that cannot be encoded.
        """
        nearest = min(_aac_rates(), key=lambda rate: abs(rate - sample_rate))
        waveform = resampled(encodable(waveform, sample_rate), sample_rate, nearest).clamp(-1, 1)
        missing = round(duration * nearest) - waveform.shape[1]
        return Soundtrack(functional.pad(waveform, (0, missing)), nearest)  # a negative pad cuts

    def packets(self, output: OutputContainer) -> Iterator[Packet]:
        """Add an AAC stream to `output` immediately; encode its packets lazily."""
        channels = len(self.waveform)
        stream = output.add_stream("aac", rate=self.sample_rate, layout=LAYOUTS[channels - 1], options=AAC_OPTIONS)
        stream.bit_rate = channels * min(AAC_BITS_PER_SAMPLE * self.sample_rate, AAC_MOST_BITS_PER_SECOND)
        return sound_packets(stream, self.waveform)


def common_rate(sample_rate: int) -> int:
    """The lowest rate in Hz that encoders have and that is not below a sample rate; the highest where all are."""
    rates = sorted(_aac_rates())
    return next((rate for rate in rates if rate >= sample_rate), rates[-1])


def _aac_rates() -> list[int]:
    """The sample rates of the AAC encoder in Hz."""
    from av.codec import Codec

    return list(Codec("aac", "w").audio_rates or ())


def copy_video(path: Path, source: Source, timing: Timing, sound: Soundtrack) -> None:
    """Write an MP4 with the video packets of `source`, not re-encoded, and `sound`. The timing has a decode order."""
    decode_order = cast(Sequence[int], timing.decode_order)
    with opened(source) as container, _created_mp4(path, timing, sound) as output:
        template = video_stream(container, source)
        stream = output.add_stream_from_template(template, opaque=True)  # copying needs no encoder
        _mux(output, _copied_packets(container, template, stream, timing, decode_order, source), sound)


def _copied_packets(
    container: InputContainer,
    template: VideoStream,
    stream: VideoStream,
    timing: Timing,
    order: Sequence[int],
    source: Source,
) -> Iterator[Packet]:
    """The packets of `template` in file order, with new time stamps.

    The stored decode times cannot be used: Matroska has none, and other containers have irregular ones. The
    presentation times, delayed by the number of frames that the stream reorders, are valid decode times for every
    stream.
    """
    ticks, shown = timing.ticks, timing.shown
    delay = max(place - rank for place, rank in enumerate(order))
    with reading(source):
        packets = (packet for packet in container.demux(template) if packet.size)
        for place, (packet, rank) in enumerate(zip(packets, order)):
            packet.pts = ticks[rank]
            packet.dts = ticks[place - delay] if place >= delay else (place - delay) * shown[0]
            packet.duration = timing.last if place == len(order) - 1 else shown[rank]
            packet.stream = stream
            yield packet


def encode_video(path: Path, pictures: Iterator[torch.Tensor], timing: Timing, sound: Soundtrack | None) -> None:
    """Write an MP4 from pictures, uint8 (H, W, 3) RGB, and a sound. Odd sizes are padded by one pixel."""
    first = next(pictures)
    height, width = (size + size % 2 for size in first.shape[:2])
    with _created_mp4(path, timing, sound) as output:
        rate = (len(timing.ticks) / timing.duration).limit_denominator(1001)
        stream = output.add_stream(H264_ENCODER, rate=rate, options=H264_OPTIONS)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.sample_aspect_ratio = timing.time_base, Fraction(1)
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE
        _mux(output, _encoded_packets(stream, chain([first], pictures), timing), sound)


def _encoded_packets(stream: VideoStream, pictures: Iterator[torch.Tensor], timing: Timing) -> Iterator[Packet]:
    context = stream.codec_context
    frames = (
        _yuv_frame(picture, context.width, context.height, tick, timing.time_base)
        for picture, tick in zip(pictures, timing.ticks)
    )
    packets = (packet for frame in chain(frames, [None]) for packet in stream.encode(frame))
    for packet, shown in zip(packets, timing.shown):
        packet.duration = shown
        yield packet


def _yuv_frame(picture: torch.Tensor, width: int, height: int, tick: int, time_base: Fraction) -> VideoFrame:
    """Convert a picture, uint8 (H, W, 3), to a yuv420p frame, padded to the size by repeating its last row and column.

    tick: presentation time in units of `time_base`.
    """
    import av

    padding = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
    pixels = numpy.pad(picture.cpu().numpy(), padding, mode="edge")
    rgb = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    frame = rgb.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
    frame.pts, frame.time_base = tick, time_base
    return frame


def _created_mp4(path: Path, timing: Timing, sound: Soundtrack | None) -> AbstractContextManager[OutputContainer]:
    """Open an MP4 for writing, with its index in front for streaming and with time scales exact for both streams."""
    clocks = {"video_track_timescale": str(timing.time_base.denominator)}
    if sound:
        clocks["movie_timescale"] = str(sound.sample_rate)  # the edit list states the end of the sound in this unit
    return created(path, movflags="+faststart", **clocks)


def _mux(output: OutputContainer, pictures: Iterator[Packet], sound: Soundtrack | None) -> None:
    """Interleave the packets of both streams by decode time and write them."""
    streams = [pictures, sound.packets(output)] if sound else [pictures]
    # Encoders and _copied_packets set every decode time.
    for packet in heapq.merge(*streams, key=lambda packet: cast(int, packet.dts) * packet.time_base):
        output.mux(packet)
