"""Video out: the pictures of a file, or frames, with a sound of exactly their length."""

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
from .frames import upright
from .mp4 import Soundtrack, copy_video, encode_video
from .probe import VideoInfo, probe_video
from .timing import Timing, decoded_frames


def add_sound(source: Source, destination: str | os.PathLike, waveform: torch.Tensor, sample_rate: int) -> None:
    """Write the pictures of `source` with `waveform` as their sound; a sound of the source is left out.

    H.264 that needs no turning is copied packet by packet. Everything else becomes H.264 in yuv420p: turned
    upright, odd sizes padded by a pixel. Either way each frame keeps its time, the first one at 0.

    Args:
        destination: an .mp4; it may be the source itself.
        waveform: (C, T) float, nominally -1..1, clipped beyond; cut or continued by silence to the length of
            the video, to the sample.
        sample_rate: one of AAC's, 7350 to 96000 Hz.

    Raises:
        MediaError: an unreadable source, an unfit waveform, or an unwritable destination.
    """
    destination = _checked_destination(destination)
    info = probe_video(source)
    sound = Soundtrack.fitted(waveform, sample_rate, info.duration)
    with written_whole(destination) as temporary:
        if info.codec == "h264" and info.rotation == 0 and info.timing.decode_order is not None:
            copy_video(temporary, source, info.timing, sound)
        else:
            encode_video(temporary, _upright_frames(source, info), info.timing, sound, info.pixel_aspect)


def write_video(
    destination: str | os.PathLike,
    frames: torch.Tensor,
    fps: Fraction | float,
    waveform: torch.Tensor | None = None,
    sample_rate: int | None = None,
) -> None:
    """Write frames as H.264 in yuv420p, with AAC sound of exactly their length if a waveform is given.

    Args:
        destination: an .mp4.
        frames: uint8 (N, H, W, 3) RGB; odd sizes are padded by a pixel.
        fps: frames per second.
        waveform, sample_rate: as for `add_sound`.

    Raises:
        MediaError: no frames, a wrong shape or type, an unfit waveform, or an unwritable destination.
    """
    destination = _checked_destination(destination)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != torch.uint8 or not frames.numel():
        raise MediaError(
            f"frames must be uint8 (N, H, W, 3) and not empty, but these are {frames.dtype} {tuple(frames.shape)}."
        )
    rate = Fraction(fps).limit_denominator(1001) if math.isfinite(fps) else 0  # 1001: of 30000/1001 and its kin
    if rate <= 0:
        raise MediaError(f"the frame rate must be a positive number, but it is {fps}.")
    timing = Timing.even(len(frames), rate)
    sound = None if waveform is None else Soundtrack.fitted(waveform, sample_rate, timing.duration)
    with written_whole(destination) as temporary:
        encode_video(temporary, iter(frames), timing, sound)


def _checked_destination(path: str | os.PathLike) -> Path:
    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise MediaError(f"{path.name}: videos are written as .mp4; change the suffix.")
    return path


def _upright_frames(source: Source, info: VideoInfo) -> Iterator[torch.Tensor]:
    """All frames of `source` as uint8 (H, W, 3), as displayed; as many as its timing says, or an error."""
    width, height = (info.height, info.width) if info.rotation in (90, 270) else (info.width, info.height)
    expected, count = len(info.timing.ticks), 0
    with closing(decoded_frames(source)) as frames:
        for count, frame in enumerate(islice(frames, expected), start=1):  # noqa: B007 - counted for the check below
            yield upright(frame, width, height, info.rotation)
        if count < expected or next(frames, None) is not None:
            raise MediaError(f"{describe(source)} does not hold the {expected} frames that it announces: convert it.")
