"""Properties of a video from its packets and first frame: size, timing, codec, sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch

from .container import Source, audio_stream_of, opened, video_stream
from .geometry import Geometry, geometry_of
from .timing import Timing, read_timing


@dataclass(frozen=True)
class VideoInfo:
    """A video's properties.

    Attributes:
        geometry: how the stored pictures are displayed.
        codec: FFmpeg's name of the codec, such as "h264".
        copyable: whether its packets can be written into another file and are displayed alike there.
        timing: the display times of the frames.
        audio_sample_rate, audio_channels: of the audio stream that players play; None if there is none.
    """

    geometry: Geometry
    codec: str
    copyable: bool
    timing: Timing
    audio_sample_rate: int | None
    audio_channels: int | None

    @property
    def width(self) -> int:
        """In pixels, as displayed."""
        return self.geometry.displayed[0]

    @property
    def height(self) -> int:
        """In pixels, as displayed."""
        return self.geometry.displayed[1]

    @property
    def has_audio(self) -> bool:
        return self.audio_sample_rate is not None

    @property
    def frame_times(self) -> torch.Tensor:
        """(N,) float64, ascending from 0: the time of each frame in seconds on the clock of the recording."""
        return self.timing.seconds

    @property
    def duration(self) -> Fraction:
        """Exact seconds from the beginning of the recording to the end of the last frame."""
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
    geometry = geometry_of(source, first)
    with opened(source) as container:
        stream = video_stream(container, source)
        context, audio = stream.codec_context, audio_stream_of(container)
        heard = audio.codec_context if audio else None  # None: no decoder
        squared = (stream.sample_aspect_ratio or 1) == (context.sample_aspect_ratio or 1)
        return VideoInfo(
            geometry=geometry,
            codec=context.codec.canonical_name,
            # What stands in the container alone does not come along.
            copyable=geometry.as_stored and squared and timing.decode_order is not None,
            timing=timing,
            audio_sample_rate=heard.sample_rate if heard else None,
            audio_channels=heard.layout.nb_channels if heard else None,
        )
