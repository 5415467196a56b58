"""Training of the demo's MM-Diffusion, on pixels and samples themselves."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from aligner.demo.shape import SAMPLE_RATE
from aligner.generators.base import Streams
from aligner.generators.mm_diffusion import CoupledUNet
from aligner.generators.mm_diffusion.schedule import TIMESTEPS, alphas_cumprod

from .data import Clips, clips
from .initialise import initialised
from .loop import Losses, Schedule, train
from .sizes import COUPLED

CLIPS, BATCH, SEED = 4096, 8, 8
SCHEDULE = Schedule(steps=4000, rate=1e-3, average=0.998)
#: The variance of videos and sounds in -1..1.
POWERS = {"video": 0.07, "audio": 0.05}
#: The largest ratio of signal to noise whose error counts fully (gamma of min-SNR, arXiv 2303.09556).
_CLEAREST = 5.0


def trained_coupled_unet(work: Path, device: str = "cpu", bf16: bool = False) -> CoupledUNet:
    """Train the network, or load it from `work`. bf16: multiply in bfloat16."""
    unet = initialised(lambda: CoupledUNet(COUPLED), SEED).to(device)
    data = clips("train", CLIPS, work)

    def losses(draw: torch.Generator, passed: float) -> Losses:
        clean = streams(data, torch.randint(len(data), (BATCH,), generator=draw))
        return loss(unet, {name: each.to(device) for name, each in clean.items()}, draw)

    train("coupled_unet", unet, losses, SCHEDULE, work, bf16=bf16)
    return unet


def streams(data: Clips, rows: torch.Tensor) -> Streams:
    """Videos and sounds of some clips in -1..1, as small and at the rate that the network makes them."""
    from torchaudio.functional import resample

    frames = F.interpolate(data.pixels(rows).flatten(0, 1), size=(COUPLED.side,) * 2, mode="area")
    video = 2 * frames.unflatten(0, (len(rows), -1)).transpose(1, 2) - 1
    return {"video": video, "audio": resample(data.sounds(rows), SAMPLE_RATE, COUPLED.sample_rate)[:, None]}


def loss(unet: CoupledUNet, clean: Streams, draw: torch.Generator) -> Losses:
    """The error of the predicted noise at random timesteps, the same for both streams of a clip.

    Where little noise is left its error counts less: min(gamma / SNR, 1), with the SNR of each stream. Returns "loss",
    and the parts of both streams.
    """
    device = clean["video"].device
    timesteps = torch.randint(TIMESTEPS, (len(clean["video"]),), generator=draw)
    alpha_bar = alphas_cumprod().float()[timesteps]
    noise = {name: torch.randn(each.shape, generator=draw).to(device) for name, each in clean.items()}
    noisy = {name: _mixed(each, noise[name], alpha_bar.to(device)) for name, each in clean.items()}
    predicted = unet(noisy["video"], noisy["audio"], timesteps.to(device), unet.draw_shifts(draw))
    parts = {}
    for (name, power), each in zip(POWERS.items(), predicted):
        error = (each.float() - noise[name]).square().flatten(1).mean(dim=1)
        weight = (_CLEAREST * (1 - alpha_bar) / (alpha_bar * power)).clamp(max=1).to(device)
        parts[name] = (weight * error).mean()
    return {"loss": torch.stack(list(parts.values())).sum(), **parts}


def _mixed(clean: torch.Tensor, noise: torch.Tensor, alpha_bar: torch.Tensor) -> torch.Tensor:
    alpha_bar = alpha_bar.view(-1, *[1] * (clean.dim() - 1))
    return alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise
