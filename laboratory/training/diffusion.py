"""Noise and what to predict of it, as U-Nets are trained: v (arXiv 2202.00512), because at high noise it asks for the
clean latent, where predicting the noise itself would hide how bad that still is."""

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
        """predict: (noisy, timesteps) -> v. clean: (B, ...). upward: the more noise, the more often, because what
        frames have in common is decided there. "early": the error at high noise."""
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
    """Let `whole` use the very parameters of `part` wherever their names are the same."""
    for name, parameter in part.named_parameters():
        path, _, leaf = name.rpartition(".")
        setattr(whole.get_submodule(path), leaf, parameter)
