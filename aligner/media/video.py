"""Writing of videos: the pictures of a file, or frames, with a sound of exactly their length."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from itertools import islice
from pathlib import Path

import torch

from ..errors import MediaError
from ..files.atomic import written_whole
from .container import Source, describe
from .frames import Display
from .mp4 import MP4_CODECS, Soundtrack, copy_video, encode_video
from .probe import VideoInfo, probe_video
from .timing import Timing, decoded_frames


def add_sound(source: Source, destination: str | os.PathLike, waveform: torch.Tensor, sample_rate: int) -> None:
    """Write the pictures of `source` with `waveform` as their only sound.

    Pictures that are stored as they are displayed, in a codec that players know in MP4, are copied without re-encoding.
    Others are encoded as H.264 in yuv420p as a screen shows them, odd sizes padded by one pixel. In both cases each
    frame keeps its time on the recording's clock.

    Args:
        destination: an .mp4; it may be the source.
        waveform: (C, T) float, nominally in -1..1. Values outside are clipped. It is cut or padded with silence to
            the exact length of the video. More than 6 channels become one.
        sample_rate: in Hz. The file has the nearest rate of AAC, 7350 to 96000 Hz.

    Raises:
        MediaError: the source cannot be read, or the destination cannot be written.
        AlignerError: the waveform is no sound.

    Example:
        add_sound("silent.mp4", "with_sound.mp4", waveform, 16000)
    """
    destination = _checked_destination(destination)
    info = probe_video(source)
    sound = Soundtrack.fitted(waveform, sample_rate, info.duration)
    with written_whole(destination) as temporary:
        if info.codec in MP4_CODECS and info.copyable:
            copy_video(temporary, source, info.timing, sound)
        else:
            encode_video(temporary, _displayed_frames(source, info), info.timing, sound)


def write_video(
    destination: str | os.PathLike,
    frames: torch.Tensor,
    fps: Fraction | float,
    waveform: torch.Tensor | None = None,
    sample_rate: int | None = None,
) -> None:
    """Write frames as H.264 in yuv420p, and a waveform, if given, as AAC sound of exactly their length.

    Args:
        destination: an .mp4.
        frames: uint8 (N, H, W, 3) RGB; odd sizes are padded by one pixel.
        fps: frames per second, above 0.
        waveform, sample_rate: as for `add_sound`; give both or neither.

    Raises:
        MediaError: no frames, a wrong shape or type, a frame rate that is not positive, or a destination that cannot
            be written.
        AlignerError: the waveform is no sound.
    """
    destination = _checked_destination(destination)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != torch.uint8 or not frames.numel():
        raise MediaError(
            f"frames must be uint8 (N, H, W, 3) and not empty, but these are {frames.dtype} {tuple(frames.shape)}."
        )
    # A denominator of 1001 covers the NTSC rates, such as 30000/1001.
    rate = Fraction(fps).limit_denominator(1001) if math.isfinite(fps) else Fraction(0)
    if rate <= 0:
        raise MediaError(f"the frame rate must be a positive number, but it is {fps}.")
    timing = Timing.even(len(frames), rate)
    sound = None
    if waveform is not None:
        if sample_rate is None:
            raise MediaError("a waveform was given without its sample rate: give both.")
        sound = Soundtrack.fitted(waveform, sample_rate, timing.duration)
    with written_whole(destination) as temporary:
        encode_video(temporary, iter(frames), timing, sound)


def _checked_destination(path: str | os.PathLike) -> Path:
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise MediaError(f"{path.name}: videos are written as .mp4; change the suffix.")
    return path


def _displayed_frames(source: Source, info: VideoInfo) -> Iterator[torch.Tensor]:
    """All frames of a video as displayed, uint8 (H, W, 3).

    Raises MediaError if their number differs from the timing's.
    """
    display = Display(info.geometry)
    expected, count = len(info.timing.ticks), 0
    with closing(decoded_frames(source)) as frames:
        for count, frame in enumerate(islice(frames, expected), start=1):  # noqa: B007 - counted for the check below
            yield display.shown(frame)
        if count < expected or next(frames, None) is not None:
            raise MediaError(f"{describe(source)} does not hold the {expected} frames that it announces: convert it.")
