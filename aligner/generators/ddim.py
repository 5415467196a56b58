"""Latent diffusion sampled by DDIM with classifier-free guidance: the base of AudioLDM and AnimateDiff."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

import torch

from ..errors import AlignerError
from ..parts import reached
from ..tensors.precision import dtype_of, full_precision
from ..timing.intervals import WHOLE, Interval
from ..values.texts import text as text_of
from .base import Network, Streams
from .windows import Windows

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


class LatentDiffusion(Protocol):
    """The weights that such a denoiser samples with. They may change their device between its making and its use."""

    unet: Network
    scheduler_config: dict

    @property
    def device(self) -> torch.device:
        """Where the denoising network is."""

    def encode_prompts(self, prompts: Sequence[str]) -> torch.Tensor:
        """One prompt embedding per text."""


Model = TypeVar("Model", bound=LatentDiffusion)


class DDIMDenoiser(ABC, Generic[Model]):
    """One stream of latents, sampled by DDIM without added noise (arXiv 2010.02502 with eta 0).

    A generator adds what its latents look like, how its network is called and how they are rendered.

    model: the generator's weights. stream: the stream's name. shape: of one sample's latent. steps: of the whole
    schedule. cfg: scale of classifier-free guidance (arXiv 2207.12598); 1 or less turns it off. denoise: the part of
    the schedule that is sampled; below 1 sampling starts from a given latent, and the lower the value, the more of it
    stays. windows: of latent frames, in which a long latent is predicted and chosen; None: one piece.

    Raises AlignerError if one of these, or the noise schedule, cannot be sampled.
    """

    #: Run the network's unconditional and conditional halves one after the other, where one of them fills the device.
    halves_apart = False

    def __init__(
        self,
        model: Model,
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
        negative = text_of(negative_prompt, "The negative prompt")
        self.negative = model.encode_prompts([negative]) if self.cfg > 1 else None

    @property
    def streams(self) -> tuple[str, ...]:
        return (self.stream,)

    @property
    def coupled_streams(self) -> tuple[tuple[str, ...], ...]:
        return (self.streams,)

    def active_streams(self, index: int) -> tuple[str, ...]:
        return self.streams

    @property
    @abstractmethod
    def seconds(self) -> Fraction:
        """How long the result lasts."""

    @property
    def segments(self) -> tuple[Interval, ...]:
        segments = self.windows.segments(self.shape[1]) if self.windows else []
        if len(segments) < 2:
            return (WHOLE,)
        second = self.shape[1] / self.seconds
        ends = [float(end / second) for _, end in segments[:-1]]
        return tuple(Interval(start, end) for start, end in zip([0.0, *ends], [*ends, None]))

    def modality(self, stream: str) -> str:
        return stream

    @property
    def device(self) -> torch.device:
        return self.model.device

    @abstractmethod
    def network(self, latents: torch.Tensor, timestep: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        """One prediction for noisy latents (B, *shape) and prompt embeddings (B, ...), float32 in and out."""

    def prompts(self, prompts: Mapping[str, Sequence[str]] | Sequence[str]) -> Streams:
        texts = prompts[self.stream] if isinstance(prompts, Mapping) else prompts
        return {self.stream: self.model.encode_prompts([text_of(text, "The prompt") for text in texts])}

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        """Gaussian noise; with denoise below 1 the noisy clean latent (eq. 2). Raises AlignerError without one."""
        reached(0, 1)  # a host may end the run between the noises of a long video
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
        if index == self.steps:
            return clean
        return {
            name: self.scheduler.add_noise(latent, noise[name], self.timesteps[index : index + 1])
            for name, latent in clean.items()
        }

    def unconditional(self, latents: Streams, index: int) -> Streams:
        if self.negative is None:
            return {}
        z = latents[self.stream]
        with torch.no_grad():
            negative = self.negative.to(z.device).expand(len(z), *self.negative.shape[1:])
            return {self.stream: self._predicted(z, self._timestep(index, z), negative)}

    def predict(self, latents: Streams, prompts: Streams, index: int, unconditional: Streams | None = None) -> Streams:
        """Classifier-free guidance: eps(z, negative) + cfg (eps(z, y) - eps(z, negative)), arXiv 2207.12598."""
        z, y = latents[self.stream], prompts[self.stream]
        timestep = self._timestep(index, z)
        if self.negative is None:
            return {self.stream: self._predicted(z, timestep, y)}
        negative = self.negative.to(y.device).expand_as(y)
        if unconditional and self.stream in unconditional:
            away, towards = unconditional[self.stream], self._predicted(z, timestep, y)
        elif self.halves_apart:
            away, towards = self._predicted(z, timestep, negative), self._predicted(z, timestep, y)
        else:
            both = self._predicted(torch.cat([z, z]), timestep, torch.cat([negative, y]))
            away, towards = both.chunk(2)
        return {self.stream: away + self.cfg * (towards - away)}

    def _timestep(self, index: int, z: torch.Tensor) -> torch.Tensor:
        return self.timesteps[index].to(z.device)

    def _predicted(self, z: torch.Tensor, timestep: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        if self.windows is None:
            return self.network(z, timestep, prompts)
        return self.windows.apply(z, lambda part: self.network(part, timestep, prompts))

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        alpha_bar = float(self.scheduler.alphas_cumprod[self.timesteps[index]])
        a, b = x0_coefficients(self.scheduler.config.prediction_type, alpha_bar)
        return {self.stream: a * latents[self.stream] + b * output[self.stream]}

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        timestep = self.timesteps[index]
        return {self.stream: self.scheduler.step(output[self.stream], timestep, latents[self.stream]).prev_sample}


def x0_coefficients(prediction_type: str, alpha_bar: float) -> tuple[float, float]:
    """a and b of x0 = a * latent + b * output, for the variance-preserving schedule's alpha_bar in 0..1.

    epsilon: eq. 11 of the paper (DDIM, arXiv 2010.02502). v_prediction: arXiv 2202.00512, appendix D. sample: the
    output is x0.
    """
    if prediction_type == "epsilon":
        return alpha_bar**-0.5, -(((1 - alpha_bar) / alpha_bar) ** 0.5)
    if prediction_type == "v_prediction":
        return alpha_bar**0.5, -((1 - alpha_bar) ** 0.5)
    if prediction_type == "sample":
        return 0.0, 1.0
    raise ValueError(f"Unknown prediction type {prediction_type!r}.")


def predicted(
    unet: Network, latents: torch.Tensor, timestep: torch.Tensor, **conditions: torch.Tensor | None
) -> torch.Tensor:
    """Call a diffusers U-Net in its own precision; the prediction returns in full precision."""
    dtype = dtype_of(unet)
    conditions = {name: None if value is None else value.to(dtype) for name, value in conditions.items()}
    return full_precision(unet(latents.to(dtype), timestep, **conditions).sample)


def require_strength(cfg: float) -> float:
    """Return a scale of classifier-free guidance. Raises AlignerError unless it is finite and 0 or more."""
    if not (math.isfinite(cfg) and cfg >= 0):
        raise AlignerError(f"cfg must be 0 or more, not {cfg}. 2.5 is usual for sound, 7.5 for video.")
    return float(cfg)


def require_part(denoise: float) -> float:
    """Return a part of a schedule. Raises AlignerError unless it is above 0 and at most 1."""
    if not 0 < denoise <= 1:
        raise AlignerError(f"denoise must be above 0 and at most 1, not {denoise}.")
    return float(denoise)


def steps_taken(steps: int, denoise: float) -> int:
    """How many steps of a schedule the part `denoise` takes: at least 1."""
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
