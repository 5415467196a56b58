"""Properties of a video from its packets and first frame: size, timing, codec, sound."""

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
        width, height: in pixels, as displayed after rotation.
        rotation: 0, 90, 180 or 270 degrees, the clockwise rotation of the stored picture for display.
        pixel_aspect: width over height of a displayed pixel, almost always 1.
        codec: FFmpeg's name of the codec, such as "h264".
        timing: the display times of the frames.
        audio_sample_rate, audio_channels: of the first audio stream; None if there is none.
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
        """(N,) float64, ascending: the time of each frame in seconds after the first."""
        return self.timing.seconds

    @property
    def duration(self) -> Fraction:
        """Exact seconds from the start of the first frame to the end of the last."""
        return self.timing.duration

    @property
    def fps(self) -> Fraction:
        """Average frame rate of the whole video, in frames per second."""
        return len(self.timing.ticks) / self.duration

    def samples(self, sample_rate: int) -> int:
        """The number of audio samples that last as long as the video."""
        return round(self.duration * sample_rate)


def probe_video(source: Source) -> VideoInfo:
    """Read a video's properties from its packets and its first frame.

    Animations (GIF, APNG) count as videos. A still picture counts as a video of one frame of 1/25 s.

    Raises:
        MediaError: the file is missing, damaged or not a media file, or has no video frame.

    Example:
        info = probe_video("clip.mp4")
        print(info.width, info.height, float(info.duration))
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
    """The clockwise rotation of a decoded frame for display: 0, 90, 180 or 270 degrees."""
    return round(-frame.rotation / 90) * 90 % 360  # FFmpeg counts counter-clockwise
