"""Recordings that MM-Diffusion takes: a video for which it makes a sound, and a sound for which it makes a video."""

from __future__ import annotations

from fractions import Fraction

import torch

from ...errors import AlignerError
from ...tensors.filling import filled
from ...tensors.resampling import resampled
from .config import CoupledUNetConfig


def video_latent(config: CoupledUNetConfig, frames: torch.Tensor, fps: Fraction) -> torch.Tensor:
    """A video as the network takes it: (1, 3, F, side, side) in -1..1 at the network's rate.

    frames: (N, 3, H, W) in 0..1 at the rate `fps`. Their middle is cut out as a square. Raises AlignerError where they
    are too few for a clip of the network.
    """
    count = int(len(frames) / fps * config.fps)
    _require_length(config, "video", Fraction(len(frames)) / fps, enough=count >= config.frames)
    # The frame that is on screen at the beginning of each new one.
    shown = [int(number * fps / config.fps) for number in range(count)]
    small = torch.cat([filled(frames[k : k + 1], config.side, config.side) for k in shown])
    return (2 * small - 1).transpose(0, 1)[None]


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
