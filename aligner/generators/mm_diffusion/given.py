"""Recordings that MM-Diffusion takes: a video for which it makes a sound, and a sound for which it makes a video."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch

from ...errors import AlignerError
from ...media import probe_video, shown_frames
from ...media.container import Source
from ...tensors.filling import filled
from ...tensors.pixels import unit_range
from ...tensors.resampling import resampled
from .config import CoupledUNetConfig

#: Seconds by which the times of two equal moments may differ.
_ROUNDING = 1e-6


def video_latent(config: CoupledUNetConfig, frames: torch.Tensor, fps: Fraction) -> torch.Tensor:
    """A video as the network takes it: (1, 3, F, side, side) in -1..1 at the network's rate.

    frames: (N, 3, H, W) in 0..1 at the rate `fps`. Their middle is cut out as a square. Raises AlignerError where they
    are too few for a clip of the network.
    """
    count = _frame_count(config, Fraction(len(frames)) / fps)
    # The frame that is on screen at the beginning of each new one.
    shown = [int(number * fps / config.fps) for number in range(count)]
    return _latent([_small(config, frames[k]) for k in shown])


def video_file_latent(config: CoupledUNetConfig, source: Source, seconds: float = 0.0) -> torch.Tensor:
    """A video file as the network takes it, see `video_latent`. Full frames are in memory one by one.

    seconds: from its beginning, as far as it goes; 0: all of it.
    """
    info = probe_video(source)
    count = _frame_count(config, info.duration)
    if seconds:
        count = min(count, math.ceil(seconds * config.fps))
    moments = torch.arange(count, dtype=torch.float64) / config.fps
    # A frame counts from the moment that it has, whatever rounding makes of it.
    shown = (torch.searchsorted(info.frame_times, moments + _ROUNDING, right=True) - 1).clamp(min=0).tolist()
    small = {
        number: _small(config, unit_range(frame.permute(2, 0, 1))) for number, frame in shown_frames(source, shown)
    }
    return _latent([small[number] for number in shown])


def _frame_count(config: CoupledUNetConfig, seconds: Fraction) -> int:
    """How many frames of the network a video fills. Raises AlignerError where it is shorter than a clip."""
    count = int(seconds * config.fps)
    _require_length(config, "video", seconds, enough=count >= config.frames)
    return count


def _small(config: CoupledUNetConfig, frame: torch.Tensor) -> torch.Tensor:
    return filled(frame[None], config.side, config.side)


def _latent(frames: Sequence[torch.Tensor]) -> torch.Tensor:
    return (2 * torch.cat(list(frames)) - 1).transpose(0, 1)[None]


def audio_latent(config: CoupledUNetConfig, waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """A sound as the network takes it: (1, 1, T) in -1..1 at the network's rate.

    waveform: (channels, n), which are averaged. Raises AlignerError where it is too short for a clip of the network.
    """
    seconds = Fraction(waveform.shape[1], sample_rate)
    _require_length(config, "sound", seconds, enough=seconds >= config.seconds)
    return resampled(waveform.mean(dim=0, keepdim=True), sample_rate, config.sample_rate).clamp(-1, 1)[None]


def _require_length(config: CoupledUNetConfig, what: str, seconds: Fraction, *, enough: bool) -> None:
    if not enough:
        raise AlignerError(
            f"The {what} lasts {float(seconds):.2f} s, but this model takes clips of {float(config.seconds):g} s "
            f"({config.frames} frames at {config.fps} a second). Give a longer one."
        )
