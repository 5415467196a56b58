"""What video commands read: a piece of a sound, and the clip that they start from."""

from __future__ import annotations

import math
from argparse import Namespace
from dataclasses import dataclass
from fractions import Fraction

import torch

from ..demo import shape as demo_shape
from ..errors import AlignerError, MediaError
from ..generators.animatediff import OWN_SIDE, require_fps, require_frames, require_sides
from ..generators.audioldm import require_samples
from ..media import probe_video, read_audio, read_frames
from ..tensors.filling import filled


@dataclass(frozen=True)
class VideoShape:
    """A video to be made: how many frames, their size in pixels, and how many a second."""

    frames: int
    width: int
    height: int
    fps: Fraction

    @property
    def seconds(self) -> Fraction:
        return self.frames / self.fps


def video_shape(options: Namespace, *, built_in: bool) -> VideoShape:
    """What the options ask for, with a sound as long. Raises AlignerError if no model could make it.

    built_in: whether the built-in models run, which have a size of their own.
    """
    own = demo_shape.SIDE if built_in else OWN_SIDE
    width, height = options.width or own, options.height or own
    require_sides(height, width)
    shape = VideoShape(require_frames(options.frames), width, height, require_fps(options.fps))
    require_samples(shape.seconds)
    return shape


def read_piece(source: str, start: float, seconds: Fraction | float | None = None) -> tuple[torch.Tensor, int]:
    """A piece of a sound, (channels, samples), and its sample rate: `seconds` from `start` on, or all that is left.

    It is shorter where the sound ends before. Raises MediaError if nothing is left of the sound there.
    """
    if not (math.isfinite(start) and start >= 0):
        raise AlignerError(
            f"--sound-start counts the seconds from the sound's beginning: it must be 0 or more, not {start}."
        )
    waveform, rate = read_audio(source)
    length = waveform.shape[1]
    if start * rate >= length:
        raise MediaError(
            f"{source} lasts {length / rate:.2f} s: nothing is left of it after {start} s. Choose an earlier "
            "--sound-start."
        )
    first = min(round(start * rate), length - 1)
    if seconds is None:
        return waveform[:, first:], rate
    if not (math.isfinite(seconds) and round(seconds * rate) >= 1):
        raise AlignerError(f"A piece of {float(seconds)} s holds nothing of a sound. Choose a longer one.")
    return waveform[:, first : first + round(seconds * rate)], rate


def first_frames(source: str, shape: VideoShape) -> torch.Tensor:
    """A clip's first frames as they are on screen at the shape's rate, (F, 3, H, W) in 0..1, cropped to its size.

    Raises MediaError if the clip is shorter than that.
    """
    info = probe_video(source)
    if (shape.frames - 1) / shape.fps >= info.duration:
        longest = math.ceil(info.duration * shape.fps)
        raise MediaError(
            f"{source} lasts {float(info.duration):.2f} s, but the video is to last "
            f"{float(shape.seconds):.2f} s. Ask for at most --frames {longest}, or raise --fps."
        )
    times = torch.arange(shape.frames, dtype=torch.float64) / float(shape.fps)
    # Rounding in a time stamp must not show the frame before.
    on_screen = torch.searchsorted(info.frame_times, times + 1e-6, right=True) - 1
    frames = read_frames(source, on_screen.tolist())
    # One at a time: frames of a large video take much memory as floats.
    return torch.cat([filled(frame.permute(2, 0, 1)[None] / 255, shape.height, shape.width) for frame in frames])
