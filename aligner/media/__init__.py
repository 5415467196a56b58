"""Reading and writing pictures, sound and video: PyAV for sound and video, Pillow for still pictures.

A source is a path or a seekable binary file object. All functions raise `MediaError` for files that cannot be read or
written.
"""

from __future__ import annotations

from .frames import read_frames, shown_frames
from .image import eight_bit, read_image, write_image
from .mp4 import common_rate
from .probe import VideoInfo, probe_video
from .sound import read_audio, to_mono, write_audio
from .timing import Timing
from .video import add_sound, write_video

__all__ = [
    "Timing",
    "VideoInfo",
    "add_sound",
    "common_rate",
    "eight_bit",
    "probe_video",
    "read_audio",
    "read_frames",
    "read_image",
    "shown_frames",
    "to_mono",
    "write_audio",
    "write_image",
    "write_video",
]
