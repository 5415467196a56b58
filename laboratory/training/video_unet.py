"""Training of the U-Net of the demo's Stable Diffusion together with the motion modules of its AnimateDiff."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from .data import clips
from .diffusion import Noising, share_weights
from .initialise import initialised
from .latents import video_latents
from .loop import Losses, Schedule, train
from .sizes import IMAGE_SCHEDULE, IMAGE_UNET, MOTION
from .texts import drawn_texts

CLIPS, PICTURES, VIDEOS, SEED = 3072, 48, 4, 6
IMAGE_STEPS = Schedule(steps=3000, rate=1e-3, average=0.999)
VIDEO_STEPS = Schedule(steps=5500, rate=8e-4, average=0.999)


class SharedUNets(nn.Module):
    """A U-Net for pictures and one with motion modules. All other weights are shared, so that both stay good."""

    def __init__(self):
        super().__init__()
        from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

        self.pictures = UNet2DConditionModel(**IMAGE_UNET)
        self.videos = UNetMotionModel.from_unet2d(self.pictures, MotionAdapter(**MOTION))
        share_weights(self.videos, self.pictures)


def trained_video_unet(
    vae: nn.Module, texts: torch.Tensor, work: Path, device: str = "cpu"
) -> tuple[SharedUNets, float]:
    """Train both U-Nets, or load them from `work`.

    vae: the trained image VAE. texts: the embeddings of TEXTS. Returns the U-Nets and the scaling factor of the
    latents.
    """
    data = clips("train", CLIPS, work)
    latents, factor = video_latents(vae, data, work)
    model = initialised(SharedUNets, SEED).to(device)
    noising, events = Noising(IMAGE_SCHEDULE, device), data.events

    def picture_losses(draw: torch.Generator, passed: float, count: int = PICTURES) -> Losses:
        rows = torch.randint(len(latents), (count,), generator=draw)
        moments = torch.randint(latents.shape[1], (count,), generator=draw)
        said = texts[drawn_texts(events[rows], draw)].to(device)
        return noising.loss(lambda noisy, t: model.pictures(noisy, t, said).sample, latents[rows, moments], draw)

    def video_losses(draw: torch.Generator, passed: float) -> Losses:
        rows = torch.randint(len(latents), (VIDEOS,), generator=draw)
        said = texts[drawn_texts(events[rows], draw)].to(device).repeat_interleave(latents.shape[1], dim=0)
        moving = noising.loss(
            lambda noisy, t: model.videos(noisy, t, said).sample, latents[rows].transpose(1, 2), draw, upward=True
        )
        still = picture_losses(draw, passed, count=8)
        return {
            "loss": moving["loss"] + 0.25 * still["loss"],
            "moving": moving["loss"],
            "early": moving["early"],
            "still": still["loss"],
        }

    train("image_unet", model.pictures, picture_losses, IMAGE_STEPS, work)
    model.requires_grad_(True)
    train("video_unet", model, video_losses, VIDEO_STEPS, work)
    return model, factor
