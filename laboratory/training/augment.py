"""What a recording may suffer without becoming something else: networks must not rely on the drawing's exactness."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def roughened_frames(frames: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """(B, F, 3, H, W) in 0..1: another brightness, some blurred, some with noise; each clip by itself."""
    chance = torch.rand(4, len(frames), 1, 1, 1, 1, generator=draw).to(frames.device)
    soft = F.avg_pool2d(F.pad(frames.flatten(0, 1), (1, 1, 1, 1), mode="replicate"), 3, stride=1).view_as(frames)
    frames = torch.where(chance[0] < 0.4, soft, frames) * (0.85 + 0.3 * chance[1])
    noise = torch.randn(frames.shape, generator=draw).to(frames.device)
    return (frames + 0.08 * (chance[2] - 0.5).clamp(min=0) * noise).clamp(0, 1)


def roughened_sounds(waveforms: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """(B, n): 12 dB softer to 4 dB louder, some with hiss, some duller; each by itself."""
    chance = torch.rand(4, len(waveforms), 1, generator=draw).to(waveforms.device)
    dull = F.avg_pool1d(F.pad(waveforms[:, None], (1, 1), mode="replicate"), 3, stride=1)[:, 0]
    waveforms = torch.where(chance[0] < 0.25, 0.5 * (waveforms + dull), waveforms)
    waveforms = waveforms * 10 ** (-0.6 + 0.8 * chance[1])
    noise = torch.randn(waveforms.shape, generator=draw).to(waveforms.device)
    return waveforms + 0.02 * (chance[2] - 0.4).clamp(min=0) * noise
