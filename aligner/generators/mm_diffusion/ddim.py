"""DDIM (arXiv 2010.02502, eta 0) as MM-Diffusion's authors sample: the clean estimate is clipped to -1..1."""

from __future__ import annotations

import torch

from ...errors import AlignerError
from ..base import Streams
from .sampler import CLEAN, Evaluate, Moment

#: The part of the schedule that the timesteps must reach.
_REACHED = 0.85


class DDIM:
    """A schedule of `evaluations` of the network, one in each step. The scheduler is that of diffusers.

    alphas_cumprod: (N,) of the training schedule. Raises AlignerError for a number of evaluations whose timesteps would
    begin far below N, since they are whole numbers apart.
    """

    def __init__(self, alphas_cumprod: torch.Tensor, evaluations: int):
        from diffusers import DDIMScheduler

        betas = 1 - alphas_cumprod / torch.cat([torch.ones_like(alphas_cumprod[:1]), alphas_cumprod[:-1]])
        self._scheduler = DDIMScheduler(trained_betas=betas.tolist(), clip_sample=True, timestep_spacing="leading")
        _require_spacing(len(alphas_cumprod), evaluations)
        self._scheduler.set_timesteps(evaluations)

    @property
    def steps(self) -> int:
        return len(self._scheduler.timesteps)

    @property
    def most_evaluations(self) -> int:
        return 1

    def moment(self, index: int) -> Moment:
        """The moment at which step `index` begins; that of the end for `steps`."""
        if index == self.steps:
            return CLEAN
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


def _require_spacing(count: int, evaluations: int) -> None:
    apart = count // evaluations
    if apart * evaluations < _REACHED * count:
        raise AlignerError(
            f"DDIM takes timesteps that are whole numbers apart: {evaluations} of them would end at "
            f"{apart * (evaluations - 1)} of {count}, which is less than noise alone. Take "
            f"{count // (apart + 1)} steps, or another sampler."
        )
