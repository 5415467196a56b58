"""What the U-Nets learn from: every clip as its VAE sees it, at a spread of 1."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from aligner.demo.family import MEL_FLOOR
from aligner.generators.audioldm.log_mel import log_mel

from .data import Clips
from .keeping import Tensors, kept


def audio_latents(vae: nn.Module, data: Clips, work: Path) -> tuple[torch.Tensor, float]:
    """((N, 8, 25, 8) float32, the scaling factor that brought them there)."""

    def encoded(rows: torch.Tensor) -> Tensors:
        mel = log_mel(data.sounds(rows).to(vae.device), MEL_FLOOR).unsqueeze(1)
        return {"latents": vae.encode(mel).latent_dist.mean.cpu()}

    return _scaled(kept(work / "audio-latents.pt", len(data), encoded))


def video_latents(vae: nn.Module, data: Clips, work: Path) -> tuple[torch.Tensor, float]:
    """((N, 16, 4, 8, 8) float32, the scaling factor that brought them there)."""

    def encoded(rows: torch.Tensor) -> Tensors:
        pixels = data.pixels(rows).to(vae.device)
        latents = vae.encode(pixels.flatten(0, 1) * 2 - 1).latent_dist.mean
        return {"latents": latents.unflatten(0, pixels.shape[:2]).cpu()}

    return _scaled(kept(work / "video-latents.pt", len(data), encoded))


def _scaled(kept_latents: Tensors) -> tuple[torch.Tensor, float]:
    latents = kept_latents["latents"]
    factor = 1 / float(latents.std())
    return latents * factor, factor
