"""Augmentation of frames and sounds, so that networks do not rely on the exactness of drawn clips."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def roughened_frames(frames: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Change the brightness of each clip (F, 3, H, W) of a batch in 0..1; blur some clips and add noise to some."""
    chance = torch.rand(4, len(frames), 1, 1, 1, 1, generator=draw).to(frames.device)
    soft = F.avg_pool2d(F.pad(frames.flatten(0, 1), (1, 1, 1, 1), mode="replicate"), 3, stride=1).view_as(frames)
    frames = torch.where(chance[0] < 0.4, soft, frames) * (0.85 + 0.3 * chance[1])
    noise = torch.randn(frames.shape, generator=draw).to(frames.device)
    return (frames + 0.08 * (chance[2] - 0.5).clamp(min=0) * noise).clamp(0, 1)


def roughened_sounds(waveforms: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Change the level of each sound of a batch (B, n) by -12 to 4 dB; dull some sounds and add hiss to some."""
    chance = torch.rand(4, len(waveforms), 1, generator=draw).to(waveforms.device)
    dull = F.avg_pool1d(F.pad(waveforms[:, None], (1, 1), mode="replicate"), 3, stride=1)[:, 0]
    waveforms = torch.where(chance[0] < 0.25, 0.5 * (waveforms + dull), waveforms)
    waveforms = waveforms * 10 ** (-0.6 + 0.8 * chance[1])
    noise = torch.randn(waveforms.shape, generator=draw).to(waveforms.device)
    return waveforms + 0.02 * (chance[2] - 0.4).clamp(min=0) * noise
