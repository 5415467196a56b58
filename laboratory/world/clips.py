"""Clips: scenes drawn and played."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from aligner.demo.shape import FPS, FRAMES, SAMPLES

from .looks import drawn
from .scenes import Scene
from .sounds import played


@dataclass(frozen=True)
class Clip:
    """A scene with its frames and its sound.

    frames: (16, 3, 64, 64) float32 in 0..1, at 8 frames per second. waveform: (32000,) float32 in -1..1, at 16 kHz.
    """

    scene: Scene
    frames: torch.Tensor
    waveform: torch.Tensor


def clip(scene: Scene) -> Clip:
    """Draw and play a scene. The same scene gives the same clip, bit for bit."""
    times = torch.arange(FRAMES, dtype=torch.float64) / FPS
    return Clip(scene, drawn(scene, times), played(scene, SAMPLES))
