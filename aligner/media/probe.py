"""What a video is, without decoding it: size, clock, codec, sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from .container import Source, opened, video_stream
from .timing import Timing, read_timing

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


@dataclass(frozen=True)
class VideoInfo:
    """A video's properties.

    Attributes:
        width, height: pixels as displayed, after rotation.
        rotation: 0, 90, 180 or 270 degrees by which the stored picture is turned clockwise for display.
        pixel_aspect: width of a displayed pixel over its height, almost always 1.
        codec: FFmpeg's name of the codec, such as "h264".
        timing: when each frame is shown.
        audio_sample_rate, audio_channels: of the first audio stream; None where there is none.
    """

    width: int
    height: int
    rotation: int
    pixel_aspect: Fraction
    codec: str
    timing: Timing
    audio_sample_rate: int | None
    audio_channels: int | None

    @property
    def has_audio(self) -> bool:
        return self.audio_sample_rate is not None

    @property
    def frame_times(self) -> torch.Tensor:
        """(N,) float64: when each frame is shown, ascending, in seconds from the first."""
        return self.timing.seconds

    @property
    def duration(self) -> Fraction:
        """Seconds, exact: from the first frame's appearance to the last one's end."""
        return self.timing.duration

    @property
    def fps(self) -> Fraction:
        """Frames per second, on average over the whole video."""
        return len(self.timing.ticks) / self.duration

    def samples(self, sample_rate: int) -> int:
        """How many samples of sound last as long as this video."""
        return round(self.duration * sample_rate)


def probe_video(source: Source) -> VideoInfo:
    """Read a video's properties from its packets and its first frame.

    Animations (GIF, APNG) are videos, and a still picture is a video of one frame that lasts 1/25 s.

    Raises:
        MediaError: the source is no file, not a media file, damaged, or has no frame of video.
    """
    timing, first = read_timing(source)
    rotation = clockwise_rotation(first)
    sideways = rotation in (90, 270)
    with opened(source) as container:
        stream = video_stream(container, source)
        aspect = stream.codec_context.sample_aspect_ratio or Fraction(1)
        audio = next(iter(container.streams.audio), None)
        return VideoInfo(
            width=first.height if sideways else first.width,
            height=first.width if sideways else first.height,
            rotation=rotation,
            pixel_aspect=1 / aspect if sideways else aspect,
            codec=stream.codec_context.codec.canonical_name,
            timing=timing,
            audio_sample_rate=audio.codec_context.sample_rate if audio else None,
            audio_channels=audio.codec_context.layout.nb_channels if audio else None,
        )


def clockwise_rotation(frame: VideoFrame) -> int:
    """The multiple of 90 degrees, 0 to 270, by which a decoded frame is to be turned clockwise."""
    return round(-frame.rotation / 90) * 90 % 360  # FFmpeg counts counter-clockwise
