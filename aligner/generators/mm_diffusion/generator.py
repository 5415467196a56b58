"""MM-Diffusion (arXiv 2212.09478): video and sound from one network, without words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

import torch
from torch import nn

from ... import settings
from ...errors import AlignerError
from ...media.container import Source
from ...tensors.precision import dtype_of, full_precision
from ...timing.intervals import WHOLE, Interval
from ..base import NO_GRADIENT, BackwardPass, Footprint, Streams
from ..ddim import require_part, steps_taken
from ..signals import Frames, Sound
from .cleaned import cleaned_dpm_solver
from .cross_attention import CrossAttention
from .ddim import DDIM
from .dpm_solver import DPMSolver
from .given import audio_latent, video_file_latent, video_latent
from .memory import footprint
from .res_block import ResBlock
from .sampler import Moment, Sampler
from .schedule import TIMESTEPS, alphas_cumprod
from .unet import CoupledUNet

STREAMS = ("video", "audio")
#: By name, the ways to sample: from the signal's part at each timestep, and the number of evaluations.
SAMPLERS: dict[str, Callable[[torch.Tensor, int], Sampler]] = {
    "dpm-solver-clean": cleaned_dpm_solver,
    "dpm-solver": DPMSolver,
    "ddim": DDIM,
}
#: The seed of the random shifts. They belong to a step: what a seed makes does not depend on its batch.
_SHIFT_SEED = 0


def sampler_of(name: str, evaluations: int) -> Sampler:
    """The sampler of that name for so many evaluations. Raises AlignerError if it cannot take them."""
    if name not in SAMPLERS:
        raise AlignerError(f"There is no sampler {name!r}. Choose one of: {', '.join(SAMPLERS)}.")
    if not isinstance(evaluations, int) or not 1 <= evaluations <= TIMESTEPS:
        raise AlignerError(f"{evaluations} steps cannot be taken: give a whole number from 1 to {TIMESTEPS}.")
    return SAMPLERS[name](alphas_cumprod(), evaluations)


class MMDiffusion(nn.Module):
    """The frozen weights of a coupled U-Net."""

    def __init__(self, unet: CoupledUNet):
        super().__init__()
        self.unet = unet
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return next(self.unet.parameters()).device

    def video_latent(self, frames: torch.Tensor, fps: Fraction) -> torch.Tensor:
        """A video (N, 3, H, W) in 0..1 as the network takes it, see `given.video_latent`."""
        return video_latent(self.unet.config, frames, fps)

    def video_file_latent(self, source: Source, seconds: float = 0.0) -> torch.Tensor:
        """A video file as the network takes it, see `given.video_file_latent`."""
        return video_file_latent(self.unet.config, source, seconds)

    def audio_latent(self, waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
        """A sound (channels, n) as the network takes it, see `given.audio_latent`."""
        return audio_latent(self.unet.config, waveform, sample_rate)

    def denoiser(
        self,
        *,
        steps: int = settings.COUPLED_STEPS.default,
        sampler: str = settings.SAMPLER.default,
        denoise: float = settings.DENOISE.default,
    ) -> MMDiffusionDenoiser:
        """Make ready for one run; see MMDiffusionDenoiser."""
        return MMDiffusionDenoiser(self, steps=steps, sampler=sampler, denoise=denoise)


class MMDiffusionDenoiser:
    """MM-Diffusion ready to sample the streams "video" (B, 3, F, H, W) and "audio" (B, 1, T), both in -1..1.

    Its latents are pixels and samples themselves. It knows no words: it has no prompts.

    steps: evaluations of the network. DPM-Solver takes up to three in each step of the guided loop. sampler: a key of
    SAMPLERS. denoise: the part of the schedule that is sampled; below 1 sampling starts from a given video and sound.

    Raises AlignerError if one of these cannot be sampled.
    """

    def __init__(self, model: MMDiffusion, *, steps: int, sampler: str, denoise: float):
        self.model, self.denoise = model, require_part(denoise)
        self._sampler = sampler_of(sampler, steps)
        self.steps = steps_taken(self._sampler.steps, denoise)
        self._skipped = self._sampler.steps - self.steps

    @property
    def streams(self) -> tuple[str, ...]:
        return STREAMS

    @property
    def coupled_streams(self) -> tuple[tuple[str, ...], ...]:
        return (STREAMS,)

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def frames(self) -> int:
        """Of the video."""
        return self.model.unet.config.frames

    @property
    def samples(self) -> int:
        """Of the sound."""
        return self.model.unet.config.samples

    @property
    def fps(self) -> Fraction:
        return Fraction(self.model.unet.config.fps)

    @property
    def seconds(self) -> Fraction:
        return self.model.unet.config.seconds

    @property
    def segments(self) -> tuple[Interval, ...]:
        return (WHOLE,)

    def active_streams(self, index: int) -> tuple[str, ...]:
        return STREAMS

    def modality(self, stream: str) -> str:
        return stream

    def prompts(self, prompts: Mapping[str, Sequence[str]] | Sequence[str]) -> Streams:
        """None: the network knows no words."""
        return {}

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        """Gaussian noise; with denoise below 1 the noisy clean streams. Raises AlignerError without them."""
        noise = {stream: self._drawn(shape, generators) for stream, shape in self._shapes.items()}
        clean = clean or {}
        for stream, given in clean.items():
            if given.shape != noise[stream].shape:
                raise AlignerError(
                    f"The {stream} to start from has shape {tuple(given.shape)}, but this model makes "
                    f"{tuple(noise[stream].shape)}."
                )
        if self.denoise == 1:
            return noise
        if missing := [stream for stream in STREAMS if stream not in clean]:
            raise AlignerError(f"denoise below 1 keeps a part of what is given, but no {' and '.join(missing)} is.")
        return self.noised({stream: clean[stream] for stream in STREAMS}, noise, 0)

    def noised(self, clean: Streams, noise: Streams, index: int) -> Streams:
        if index == self.steps:
            return clean
        moment = self._moment(index)
        return {stream: moment.alpha * each + moment.sigma * noise[stream] for stream, each in clean.items()}

    def unconditional(self, latents: Streams, index: int) -> Streams:
        return {}

    def predict(self, latents: Streams, prompts: Streams, index: int, unconditional: Streams | None = None) -> Streams:
        """The noise in both streams."""
        return self._noise(latents, self._moment(index))

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        moment = self._moment(index)
        return {stream: (latents[stream] - moment.sigma * noise) / moment.alpha for stream, noise in output.items()}

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        return self._sampler.step(latents, output, self._skipped + index, self._noise)

    def render(self, clean: Streams) -> dict[str, Frames | Sound]:
        """Pixels in 0..1 and samples in -1..1."""
        pixels = ((clean["video"].transpose(1, 2) + 1) / 2).clamp(0, 1)
        sound = Sound(clean["audio"][:, 0].clamp(-1, 1), self.model.unet.config.sample_rate, clean["audio"].shape[2])
        return {"video": Frames(pixels, self.fps), "audio": sound}

    def footprint(self, batch: int, backward: Mapping[str, BackwardPass] = NO_GRADIENT) -> Footprint:
        half = dtype_of(self.model).itemsize < 4
        return footprint(self.model.unet.config, batch, backward, self._sampler.most_evaluations, half)

    def checkpointable(self) -> Iterable[nn.Module]:
        return [module for module in self.model.unet.modules() if isinstance(module, ResBlock | CrossAttention)]

    @property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        config = self.model.unet.config
        return {"video": (3, config.frames, config.side, config.side), "audio": (1, config.samples)}

    def _drawn(self, shape: Sequence[int], generators: Sequence[torch.Generator]) -> torch.Tensor:
        noise = torch.stack([torch.randn(shape, generator=each, device=each.device) for each in generators])
        return noise.to(self.device, torch.promote_types(dtype_of(self.model), noise.dtype))

    def _moment(self, index: int) -> Moment:
        return self._sampler.moment(self._skipped + index)

    def _noise(self, latents: Streams, moment: Moment) -> Streams:
        """The noise at a moment, with the shifts of its timestep. A velocity v stands for sigma z + alpha v."""
        shifts = self.model.unet.draw_shifts(torch.Generator().manual_seed(_SHIFT_SEED + moment.timestep))
        video = latents["video"]
        timesteps = torch.full((len(video),), moment.timestep, device=video.device)
        seen, heard = self.model.unet(video, latents["audio"], timesteps, shifts)
        output = {"video": full_precision(seen), "audio": full_precision(heard)}
        if self.model.unet.config.prediction == "noise":
            return output
        return {name: moment.sigma * latents[name] + moment.alpha * each for name, each in output.items()}
