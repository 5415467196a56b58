"""Training of the U-Net of the demo's AudioLDM."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from .data import clips
from .diffusion import Noising
from .initialise import initialised
from .latents import audio_latents
from .loop import Losses, Schedule, train
from .sizes import AUDIO_SCHEDULE, AUDIO_UNET
from .texts import drawn_texts

CLIPS, BATCH, SEED = 4096, 24, 5
SCHEDULE = Schedule(steps=3200, rate=1e-3, average=0.999)


def trained_audio_unet(vae: nn.Module, texts: torch.Tensor, work: Path, device: str = "cpu") -> tuple[nn.Module, float]:
    """Train the U-Net, or load it from `work`.

    vae: the trained VAE of spectrograms. texts: the embeddings of TEXTS. Returns the U-Net and the scaling factor of
    the latents.
    """
    from diffusers import UNet2DConditionModel

    data = clips("train", CLIPS, work)
    latents, factor = audio_latents(vae, data, work)
    unet = initialised(lambda: UNet2DConditionModel(**AUDIO_UNET), SEED).to(device)
    noising, events = Noising(AUDIO_SCHEDULE, device), data.events

    def losses(draw: torch.Generator, passed: float) -> Losses:
        rows = torch.randint(len(latents), (BATCH,), generator=draw)
        labels = texts[drawn_texts(events[rows], draw)].to(device)
        return noising.loss(
            lambda noisy, t: unet(noisy, t, encoder_hidden_states=None, class_labels=labels).sample, latents[rows], draw
        )

    train("audio_unet", unet, losses, SCHEDULE, work)
    return unet, factor
