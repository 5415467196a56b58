"""Pixels and waveforms as PE-AV takes them: batched, differentiable, equal to the processor of transformers."""

from __future__ import annotations

import torch

from ...tensors.resizing import resized

SAMPLE_RATE = 48_000
#: Samples of a state of the codec, 40 ms.
HOP = 1920
#: Statistics of RGB values in 0..1.
MEAN = STD = 0.5


def frames_input(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Pictures (N, 3, H, W) in 0..1 -> (N, 3, side, side) in -1..1.

    Bilinear, with antialiasing where a picture shrinks; the sides change by different factors.
    """
    for axis in (-1, -2):
        pixels = resized(pixels, axis, side, mode="bilinear", antialias=True)
    return (pixels - MEAN) / STD


def sound_input(waveform: torch.Tensor) -> torch.Tensor:
    """Mono sounds (N, n) at 48 kHz -> (N, 1, m), m the next multiple of 1920, filled by reflection at the end."""
    return _reflected(waveform, -waveform.shape[1] % HOP).unsqueeze(1)


def _reflected(waveform: torch.Tensor, missing: int) -> torch.Tensor:
    """The waveforms and `missing` more samples: what came before the end, backwards, and so on where that is short."""
    samples = waveform.shape[1]
    # As numpy reflects: 0 1 2 1 0 1 2, with neither end twice.
    positions = torch.arange(samples, samples + missing, device=waveform.device)
    period = max(1, 2 * (samples - 1))
    positions = positions % period
    folded = torch.where(positions < samples, positions, period - positions)
    return torch.cat([waveform, waveform[:, folded]], dim=1)
