"""The latents that the U-Nets are trained on: every clip encoded by its VAE and scaled to a standard deviation of 1."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from aligner.demo.family import MEL_FLOOR
from aligner.generators.audioldm.log_mel import log_mel

from .data import Clips
from .keeping import Tensors, kept


def audio_latents(vae: nn.Module, data: Clips, work: Path) -> tuple[torch.Tensor, float]:
    """The latents of all sounds, (N, 8, 25, 8) float32, and their scaling factor. work: folder of the kept latents."""

    def encoded(rows: torch.Tensor) -> Tensors:
        mel = log_mel(data.sounds(rows).to(vae.device), MEL_FLOOR).unsqueeze(1)
        return {"latents": vae.encode(mel).latent_dist.mean.cpu()}

    return _scaled(kept(work / "audio-latents.pt", len(data), encoded))


def video_latents(vae: nn.Module, data: Clips, work: Path) -> tuple[torch.Tensor, float]:
    """The latents of all frames, (N, 16, 4, 8, 8) float32, and their scaling factor. work: as for sounds."""

    def encoded(rows: torch.Tensor) -> Tensors:
        pixels = data.pixels(rows).to(vae.device)
        latents = vae.encode(pixels.flatten(0, 1) * 2 - 1).latent_dist.mean
        return {"latents": latents.unflatten(0, pixels.shape[:2]).cpu()}

    return _scaled(kept(work / "video-latents.pt", len(data), encoded))


def _scaled(kept_latents: Tensors) -> tuple[torch.Tensor, float]:
    latents = kept_latents["latents"]
    factor = 1 / float(latents.std())
    return latents * factor, factor
