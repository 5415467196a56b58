"""Training of the VAE of the demo's AudioLDM: log-mel spectrograms of 200 x 64 to latents of 8 x 25 x 8 and back."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from aligner.demo.family import MEL_FLOOR
from aligner.generators.audioldm.log_mel import log_mel

from .data import clips
from .image_vae import start_certain
from .initialise import initialised
from .loop import Losses, Schedule, train
from .sizes import MEL_VAE

CLIPS, BATCH, SEED = 4096, 8, 2
SCHEDULE = Schedule(steps=3000, rate=2e-3, average=0.998, weight_decay=0.0)
_KL_WEIGHT = 2e-5


def trained_mel_vae(work: Path, device: str = "cpu", bf16: bool = False) -> nn.Module:
    """Train the VAE, or load it from `work`."""
    from diffusers import AutoencoderKL

    vae = initialised(lambda: AutoencoderKL(**MEL_VAE), SEED).to(device)
    start_certain(vae)
    data = clips("train", CLIPS, work)

    def losses(draw: torch.Generator, passed: float) -> Losses:
        rows = torch.randint(len(data), (BATCH,), generator=draw)
        mel = log_mel(data.sounds(rows).to(device), MEL_FLOOR).unsqueeze(1)
        heard = vae.encode(mel).latent_dist
        noise = torch.randn(heard.mean.shape, generator=draw).to(device)
        made = vae.decode(heard.mean + heard.std * noise).sample.float()
        # Most of a clip is silence, which must not outweigh the event.
        sounding = 1 + 4 * (mel > mel.new_tensor(MEL_FLOOR).log() + 0.3)
        error = (sounding * ((made - mel).abs() + 0.5 * (made - mel).square())).mean()
        level = F.l1_loss(_level(made), _level(mel))
        divergence = heard.kl().mean()
        return {
            "loss": error + level + _KL_WEIGHT * divergence,
            "kl": divergence,
            "level": level,
            "distance": (made - mel).abs().mean(),
        }

    train("mel_vae", vae, losses, SCHEDULE, work, bf16=bf16)
    return vae


def _level(mel: torch.Tensor) -> torch.Tensor:
    """The log of the mean energy of (B, 1, T, 64) in patches of 80 ms x 8 bins.

    The level of noise can be reconstructed, but not its exact values.
    """
    return F.avg_pool2d((2 * mel).exp(), 8).add(MEL_FLOOR**2).log() / 2
