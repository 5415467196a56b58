"""Training of the demo's MM-Diffusion, on pixels and samples themselves."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from aligner.demo.shape import SAMPLE_RATE
from aligner.generators.base import Streams
from aligner.generators.mm_diffusion import CoupledUNet
from aligner.generators.mm_diffusion.schedule import alphas_cumprod

from .data import Clips, clips
from .initialise import initialised
from .loop import Losses, Schedule, train
from .sizes import COUPLED

CLIPS, BATCH, SEED = 4096, 8, 8
#: Timesteps are drawn below this one. Above there is little to see.
LATEST = 750
#: Of a clip's pixels around their mean, and of its samples.
VARIANCE = 0.05
#: Errors below it count as none.
_LEAST = 1e-5
SCHEDULE = Schedule(steps=4000, rate=1e-3, average=0.998)


def trained_coupled_unet(work: Path, device: str = "cpu", bf16: bool = False) -> CoupledUNet:
    """Train the network, or load it from `work`. bf16: multiply in bfloat16."""
    unet = initialised(lambda: CoupledUNet(COUPLED), SEED).to(device)
    data = clips("train", CLIPS, work, in_plain_scenes=True)

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
    """The error of the predicted velocity alpha noise - sigma clean at random timesteps, the same for both streams.

    It is measured in parts of the velocity's variance (arXiv 2206.00364). The logarithm of each sample's error is
    minimised: a little noise over silence counts as much as an event in much noise, as with the learned weights of
    arXiv 2312.02696 (equation 21). Returns "loss", and the errors of both streams.
    """
    device = clean["video"].device
    timesteps = torch.randint(LATEST, (len(clean["video"]),), generator=draw)
    alpha_bar = alphas_cumprod().float()[timesteps].to(device)
    noise = {name: torch.randn(each.shape, generator=draw).to(device) for name, each in clean.items()}
    noisy = {name: _mixed(each, noise[name], alpha_bar) for name, each in clean.items()}
    predicted = unet(noisy["video"], noisy["audio"], timesteps.to(device), unet.draw_shifts(draw))
    variance = alpha_bar + (1 - alpha_bar) * VARIANCE
    errors = {name: each.float() - _mixed(noise[name], -clean[name], alpha_bar) for name, each in zip(clean, predicted)}
    parts = {name: each.square().flatten(1).mean(dim=1) / variance for name, each in errors.items()}
    means = {name: each.mean().detach() for name, each in parts.items()}
    return {"loss": torch.stack([(each + _LEAST).log().mean() for each in parts.values()]).sum(), **means}


def _mixed(signal: torch.Tensor, other: torch.Tensor, alpha_bar: torch.Tensor) -> torch.Tensor:
    """alpha signal + sigma other."""
    alpha_bar = alpha_bar.view(-1, *[1] * (signal.dim() - 1))
    return alpha_bar.sqrt() * signal + (1 - alpha_bar).sqrt() * other
