"""The diffusion loss of U-Nets with v-prediction (arXiv 2202.00512).

At high noise v is close to the clean latent, so that the loss shows the error of the clean estimate. The error of
predicted noise would hide it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Noising:
    """A noise schedule by the settings of diffusers' DDIMScheduler."""

    def __init__(self, settings: dict, device: str):
        from diffusers import DDIMScheduler

        self.scheduler, self.device = DDIMScheduler(**settings), device

    def loss(self, predict, clean: torch.Tensor, draw: torch.Generator, *, upward: bool = False) -> dict:
        """The mean squared error of v for clean latents (B, ...) at random timesteps.

        predict: (noisy latents, timesteps) -> v. upward: draw timesteps of high noise more often, at which the content
        that all frames share is decided. Returns "loss", and as "early" the error at high noise.
        """
        share = torch.rand(len(clean), generator=draw)
        share = share.sqrt() if upward else share
        timesteps = (share * self.scheduler.config.num_train_timesteps).long()
        noise = torch.randn(clean.shape, generator=draw).to(self.device)
        timesteps, clean = timesteps.to(self.device), clean.to(self.device)
        noisy = self.scheduler.add_noise(clean, noise, timesteps)
        wanted = self.scheduler.get_velocity(clean, noise, timesteps)
        error = F.mse_loss(predict(noisy, timesteps).float(), wanted, reduction="none").flatten(1).mean(dim=1)
        early = timesteps > 800
        return {"loss": error.mean(), "early": (error * early).sum() / early.sum().clamp(min=1)}


def share_weights(whole: nn.Module, part: nn.Module) -> None:
    """Make `whole` use the parameters of `part` wherever their names agree."""
    for name, parameter in part.named_parameters():
        path, _, leaf = name.rpartition(".")
        setattr(whole.get_submodule(path), leaf, parameter)
