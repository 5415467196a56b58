"""What latent diffusion generators have in common: a schedule sampled by DDIM, and classifier-free guidance."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

import torch
from torch import nn

from ..errors import AlignerError
from ..tensors.precision import dtype_of, full_precision
from ..timing.intervals import Part
from .base import Streams
from .windows import Windows

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


class LatentDiffusion(Protocol):
    """Weights that such a denoiser samples with. They may change their device between its making and its use."""

    device: torch.device
    unet: nn.Module
    scheduler_config: dict

    def encode_prompts(self, prompts: Sequence[str]) -> torch.Tensor:
        """Texts to prompt embeddings, one for each."""


class DDIMDenoiser(ABC):
    """One stream of latents, sampled by DDIM without added noise (arXiv 2010.02502 with eta 0).

    A generator adds what its latents look like, how its network is called and how they are rendered.

    model: the generator's weights. stream: the stream's name. shape: of one sample's latent. steps: of the whole
    schedule. cfg: scale of classifier-free guidance (arXiv 2207.12598); 1 or less turns it off. denoise: the part of
    the schedule that is sampled; below 1 sampling starts from a given latent, of which the more is kept the lower it
    is. windows: of latent frames, in which a long latent is predicted and chosen; None: in one piece.

    Raises AlignerError if one of these, or the noise schedule, cannot be sampled.
    """

    #: Run the network's unconditional and conditional halves one after the other, where one of them fills the device.
    halves_apart = False

    def __init__(
        self,
        model: LatentDiffusion,
        stream: str,
        shape: Sequence[int],
        *,
        steps: int,
        cfg: float,
        negative_prompt: str,
        denoise: float,
        windows: Windows | None = None,
    ):
        self.model, self.stream, self.shape, self.windows = model, stream, tuple(shape), windows
        self.cfg, self.denoise = require_strength(cfg), require_part(denoise)
        self.scheduler = _scheduler(model.scheduler_config, steps)
        self.timesteps = self.scheduler.timesteps[-steps_taken(steps, denoise) :]
        self.steps = len(self.timesteps)
        self.negative = model.encode_prompts([negative_prompt]) if self.cfg > 1 else None
        self._unmoved: tuple[int, torch.Tensor, torch.Tensor] | None = None

    @property
    def streams(self) -> tuple[str, ...]:
        return (self.stream,)

    @property
    def couplings(self) -> tuple[tuple[str, ...], ...]:
        return (self.streams,)

    def stepping(self, index: int) -> tuple[str, ...]:
        return self.streams

    @property
    @abstractmethod
    def seconds(self) -> Fraction:
        """How long the result lasts."""

    @property
    def pieces(self) -> tuple[Part, ...]:
        pieces = self.windows.pieces(self.shape[1]) if self.windows else []
        if len(pieces) < 2:
            return (Part(),)
        second = self.shape[1] / self.seconds
        ends = [float(end / second) for _, end in pieces[:-1]]
        return tuple(Part(start, end) for start, end in zip([0.0, *ends], [*ends, None]))

    @property
    def device(self) -> torch.device:
        return self.model.device

    @abstractmethod
    def network(self, latents: torch.Tensor, timestep: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        """One prediction for noisy latents (B, *shape) and prompt embeddings (B, ...), float32 in and out."""

    def prompts(self, prompts: Sequence[str]) -> Streams:
        """The prompt embeddings of a batch."""
        return {self.stream: self.model.encode_prompts(prompts)}

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        """Gaussian noise; where denoise is below 1, upon the clean latent (eq. 2). Raises AlignerError without one."""
        noise = torch.stack(
            [torch.randn(self.shape, generator=generator, device=generator.device) for generator in generators]
        )
        noise = noise.to(self.device, torch.promote_types(dtype_of(self.model.unet), noise.dtype))
        given = clean.get(self.stream) if clean else None
        if given is not None and given.shape != noise.shape:
            raise AlignerError(
                f"The {self.stream} latent has shape {tuple(given.shape)}, but {tuple(noise.shape)} is "
                "needed here. Use a latent of the same model and size."
            )
        if self.denoise == 1:
            return {self.stream: noise * self.scheduler.init_noise_sigma}
        if given is None:
            raise AlignerError(f"denoise below 1 keeps a part of a latent, but no {self.stream} latent is connected.")
        return {self.stream: self.scheduler.add_noise(given, noise, self.timesteps[:1])}

    def noised(self, clean: Streams, noise: Streams, index: int) -> Streams:
        """Clean latents with as much noise upon them as there is when step `index` begins (eq. 2); none after the
        last."""
        if index == self.steps:
            return clean
        return {
            name: self.scheduler.add_noise(latent, noise[name], self.timesteps[index : index + 1])
            for name, latent in clean.items()
        }

    def predict(self, latents: Streams, prompts: Streams, index: int) -> Streams:
        z, y = latents[self.stream], prompts[self.stream]
        timestep = self.timesteps[index].to(z.device)
        if self.negative is None:
            return {self.stream: self._predicted(z, timestep, y)}
        negative = self.negative.to(y.device).expand_as(y)
        if y.requires_grad and not z.requires_grad:
            unconditional = self._without_gradient(z, timestep, negative, index)
            conditional = self._predicted(z, timestep, y)
        elif self.halves_apart:
            unconditional, conditional = self._predicted(z, timestep, negative), self._predicted(z, timestep, y)
        else:
            both = self._predicted(torch.cat([z, z]), timestep, torch.cat([negative, y]))
            unconditional, conditional = both.chunk(2)
        return {self.stream: unconditional + self.cfg * (conditional - unconditional)}

    def _without_gradient(
        self, z: torch.Tensor, timestep: torch.Tensor, negative: torch.Tensor, index: int
    ) -> torch.Tensor:
        """The unconditional half while only the prompt is tuned: without graph, and the same in all inner steps."""
        if self._unmoved is None or self._unmoved[:1] != (index,) or self._unmoved[1] is not z:
            with torch.no_grad():
                self._unmoved = index, z, self._predicted(z, timestep, negative)
        return self._unmoved[2]

    def _predicted(self, z: torch.Tensor, timestep: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        if self.windows is None:
            return self.network(z, timestep, prompts)
        return self.windows.over(z, lambda part: self.network(part, timestep, prompts))

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        alpha_bar = float(self.scheduler.alphas_cumprod[self.timesteps[index]])
        a, b = x0_coefficients(self.scheduler.config.prediction_type, alpha_bar=alpha_bar)
        return {self.stream: a * latents[self.stream] + b * output[self.stream]}

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        timestep = self.timesteps[index]
        return {self.stream: self.scheduler.step(output[self.stream], timestep, latents[self.stream]).prev_sample}


def x0_coefficients(
    prediction_type: str, *, alpha_bar: float | None = None, sigma: float | None = None
) -> tuple[float, float]:
    """a and b of x0 = a * latent + b * output, for every prediction type.

    epsilon: eq. 11 of the paper (DDIM, arXiv 2010.02502). v_prediction: arXiv 2202.00512, appendix D. sample: the
    output is x0. flow_prediction: rectified flow with velocity noise - data (arXiv 2209.03003). The first two read the
    variance-preserving schedule's alpha_bar, flow its sigma.
    """
    if prediction_type == "epsilon":
        return alpha_bar**-0.5, -(((1 - alpha_bar) / alpha_bar) ** 0.5)
    if prediction_type == "v_prediction":
        return alpha_bar**0.5, -((1 - alpha_bar) ** 0.5)
    if prediction_type == "flow_prediction":
        return 1.0, -sigma
    if prediction_type == "sample":
        return 0.0, 1.0
    raise ValueError(f"Unknown prediction type {prediction_type!r}.")


def predicted(
    unet: nn.Module, latents: torch.Tensor, timestep: torch.Tensor, **conditions: torch.Tensor | None
) -> torch.Tensor:
    """What a diffusers U-Net predicts, asked in its own precision, answered in full precision."""
    dtype = dtype_of(unet)
    conditions = {name: None if value is None else value.to(dtype) for name, value in conditions.items()}
    return full_precision(unet(latents.to(dtype), timestep, **conditions).sample)


def require_strength(cfg: float) -> float:
    """A scale of classifier-free guidance as it is; raises AlignerError if it is none."""
    if not (math.isfinite(cfg) and cfg >= 0):
        raise AlignerError(f"cfg must be 0 or more, not {cfg}. 2.5 is usual for sound, 7.5 for video.")
    return float(cfg)


def require_part(denoise: float) -> float:
    """The part of a schedule as it is; raises AlignerError if it is none."""
    if not 0 < denoise <= 1:
        raise AlignerError(f"denoise must be above 0 and at most 1, not {denoise}.")
    return float(denoise)


def steps_taken(steps: int, denoise: float) -> int:
    """How many of a schedule's steps are left of it."""
    return max(1, round(steps * denoise))


def _scheduler(config: dict, steps: int):
    """DDIM with its timesteps set. Raises AlignerError for steps or a schedule that DDIM cannot take."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(config)
    timesteps = scheduler.config.num_train_timesteps
    if not isinstance(steps, int) or not 1 <= steps <= timesteps:
        raise AlignerError(
            f"{steps} denoising steps cannot be taken: this model has {timesteps} timesteps. 25 or 30 is a good number."
        )
    scheduler.set_timesteps(steps)
    if scheduler.timesteps.max() >= timesteps:
        raise AlignerError(f"{steps} denoising steps reach beyond this model's {timesteps} timesteps. Take fewer.")
    if scheduler.config.prediction_type not in PREDICTION_TYPES:
        raise AlignerError(
            f"This model predicts {scheduler.config.prediction_type!r}, which DDIM cannot sample. "
            f"Known are {', '.join(PREDICTION_TYPES)}."
        )
    if scheduler.config.prediction_type == "epsilon" and scheduler.alphas_cumprod[scheduler.timesteps[0]] <= 0:
        raise AlignerError(
            "This model's noise schedule ends without signal, where a predicted noise says nothing. "
            "Its scheduler_config.json should name another prediction_type."
        )
    return scheduler
