"""Training of the image VAE of the demo's Stable Diffusion: pictures of 64 x 64 to latents of 4 x 8 x 8 and back."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from .data import clips
from .initialise import initialised
from .loop import Losses, Schedule, train
from .sizes import IMAGE_VAE

CLIPS, BATCH, SEED = 4096, 24, 1
SCHEDULE = Schedule(steps=3000, rate=2e-3, average=0.998, weight_decay=0.0)
#: The weight of the KL divergence, just large enough to leave no gaps between latents.
_KL_WEIGHT = 2e-5


def trained_image_vae(work: Path, device: str = "cpu", bf16: bool = False) -> nn.Module:
    """Train the VAE, or load it from `work`."""
    from diffusers import AutoencoderKL

    vae = initialised(lambda: AutoencoderKL(**IMAGE_VAE), SEED).to(device)
    start_certain(vae)
    data = clips("train", CLIPS, work)

    def losses(draw: torch.Generator, passed: float) -> Losses:
        rows = torch.randint(len(data), (BATCH,), generator=draw)
        moments = torch.randint(data.frames.shape[1], (BATCH,), generator=draw)
        pictures = (data.frames[rows, moments].float() / 127.5 - 1).to(device)
        seen = vae.encode(pictures).latent_dist
        noise = torch.randn(seen.mean.shape, generator=draw).to(device)
        made = vae.decode(seen.mean + seen.std * noise).sample.float()
        error = _foreground(pictures) * ((made - pictures).abs() + 2 * (made - pictures).square())
        divergence = seen.kl().mean()
        return {
            "loss": error.mean() + _KL_WEIGHT * divergence,
            "kl": divergence,
            "decibel": -10 * (made - pictures).square().mean().div(4).log10(),
        }

    train("image_vae", vae, losses, SCHEDULE, work, bf16=bf16)
    return vae


def start_certain(vae: nn.Module) -> None:
    """Initialise narrow posteriors. Wide ones would drown small objects before the VAE has learnt them."""
    half = vae.config.latent_channels
    with torch.no_grad():
        vae.quant_conv.bias[half:] = -6.0
        vae.quant_conv.weight[half:] = 0.0


def _foreground(pictures: torch.Tensor) -> torch.Tensor:
    """The weight of each pixel of (B, 3, H, W), as (B, 1, H, W): 1 on the background of a row, up to 9 elsewhere.

    With equal weights, small objects would be lost.
    """
    background = pictures.median(dim=3, keepdim=True).values
    return 1 + 8 * (2 * (pictures - background).abs().mean(dim=1, keepdim=True)).clamp(max=1)
