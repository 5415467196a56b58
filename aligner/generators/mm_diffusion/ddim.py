"""DDIM (arXiv 2010.02502, eta 0) as MM-Diffusion's authors sample: the clean estimate is clipped to -1..1."""

from __future__ import annotations

import torch

from ..base import Streams
from .sampler import Evaluate, Moment


class DDIM:
    """A schedule of `evaluations` of the network, one in each step. The scheduler is that of diffusers.

    alphas_cumprod: (N,) of the training schedule.
    """

    def __init__(self, alphas_cumprod: torch.Tensor, evaluations: int):
        from diffusers import DDIMScheduler

        betas = 1 - alphas_cumprod / torch.cat([torch.ones_like(alphas_cumprod[:1]), alphas_cumprod[:-1]])
        self._scheduler = DDIMScheduler(trained_betas=betas.tolist(), clip_sample=True, timestep_spacing="leading")
        self._scheduler.set_timesteps(evaluations)

    @property
    def steps(self) -> int:
        return len(self._scheduler.timesteps)

    def moment(self, index: int) -> Moment:
        """The moment at which step `index` begins; that of the end for `steps`."""
        if index == self.steps:
            return Moment(1.0, 0.0, 0)
        timestep = int(self._scheduler.timesteps[index])
        alpha_bar = float(self._scheduler.alphas_cumprod[timestep])
        return Moment(alpha_bar**0.5, (1 - alpha_bar) ** 0.5, timestep)

    def step(self, latents: Streams, noise: Streams, index: int, evaluate: Evaluate) -> Streams:
        """The latents after step `index`. noise: predicted for its beginning."""
        timestep = self._scheduler.timesteps[index]
        return {
            stream: self._scheduler.step(noise[stream], timestep, latent, use_clipped_model_output=True).prev_sample
            for stream, latent in latents.items()
        }
