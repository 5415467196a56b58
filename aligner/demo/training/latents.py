"""What the U-Nets learn from: every clip as its VAE sees it, at a spread of 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from ...media.atomic import written_whole
from .data import Clips
from .spectrogram import log_mel


def audio_latents(vae: nn.Module, data: Clips, work: Path) -> tuple[torch.Tensor, float]:
    """((N, 8, 25, 8) float32, the scaling factor that brought them there)."""
    def encoded(rows: torch.Tensor) -> torch.Tensor:
        return vae.encode(log_mel(data.sounds(rows).to(vae.device)).unsqueeze(1)).latent_dist.mean
    return _kept(work / "audio-latents.pt", data, encoded)


def video_latents(vae: nn.Module, data: Clips, work: Path) -> tuple[torch.Tensor, float]:
    """((N, 16, 4, 8, 8) float32, the scaling factor that brought them there)."""
    def encoded(rows: torch.Tensor) -> torch.Tensor:
        pixels = data.pixels(rows).to(vae.device)
        return vae.encode(pixels.flatten(0, 1) * 2 - 1).latent_dist.mean.unflatten(0, pixels.shape[:2])
    return _kept(work / "video-latents.pt", data, encoded)


@torch.no_grad()
def _kept(path: Path, data: Clips, encoded: Callable[[torch.Tensor], torch.Tensor]) -> tuple[torch.Tensor, float]:
    if not path.exists():
        batches = tqdm(torch.arange(len(data)).split(8), desc=path.stem, mininterval=10)
        with written_whole(path) as partial:
            torch.save(torch.cat([encoded(rows).float().cpu() for rows in batches]), partial)
    latents = torch.load(path, weights_only=True)
    factor = 1 / float(latents.std())
    return latents * factor, factor
