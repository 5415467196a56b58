"""AudioLDM (arXiv 2301.12503): text-to-sound latent diffusion, from any folder in the diffusers layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import AlignerError
from ..precision import full_precision
from ..signals import Sound
from .base import Streams, x0_coefficients
from .folders import load_component, load_part, require_pipeline

STREAM = "audio"
PIPELINE = "AudioLDMPipeline"
COMPONENTS = ("unet", "vae", "vocoder", "text_encoder", "tokenizer", "scheduler")

#: float32 activations per second of sound: a plain step's largest, what the backward pass through VAE (1.4 GiB for
#: 10 s), vocoder (3.1) and ImageBind (1.0) keeps, the same recomputed block by block, and the U-Net's (1.0) on top.
_UNGUIDED_BYTES, _GUIDED_BYTES, _CHECKPOINTED_BYTES, _NETWORK_BYTES = (int(gib * 2**30) for gib in (0.05, 0.55, 0.15, 0.1))


class AudioLDM(nn.Module):
    """The frozen weights: text encoder, U-Net, VAE, vocoder, and the noise schedule they were trained with."""

    def __init__(self, unet: nn.Module, vae: nn.Module, vocoder: nn.Module, text_encoder: nn.Module, tokenizer,
                 scheduler_config: dict):
        super().__init__()
        self.unet, self.vae, self.vocoder, self.text_encoder = unet, vae, vocoder, text_encoder
        self.tokenizer, self.scheduler_config = tokenizer, dict(scheduler_config)
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return self.unet.device

    @property
    def sample_rate(self) -> int:
        """Samples per second of the vocoder's waveform."""
        return self.vocoder.config.sampling_rate

    @property
    def hop(self) -> int:
        """Samples per mel frame."""
        return math.prod(self.vocoder.config.upsample_rates)

    @property
    def compression(self) -> int:
        """Mel frames per latent frame, and mel bins per latent bin."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    def latent_shape(self, samples: int) -> tuple[int, int, int]:
        """(channels, frames, bins) of a latent that decodes to at least `samples` samples."""
        frames = math.ceil(samples / (self.hop * self.compression))
        return self.unet.config.in_channels, frames, self.vocoder.config.model_in_dim // self.compression

    def latent_samples(self, latent: torch.Tensor) -> int:
        """How many samples a latent (B, channels, frames, bins) stands for."""
        return latent.shape[2] * self.compression * self.hop

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> torch.Tensor:
        """CLAP text embeddings of unit length, (len(prompts), 512) float32; over-long prompts are cut."""
        tokens = self.tokenizer(list(prompts), padding=True, truncation=True, max_length=self._longest_prompt,
                                return_tensors="pt").to(self.text_encoder.device)
        embeddings = self.text_encoder(tokens.input_ids, attention_mask=tokens.attention_mask).text_embeds
        return F.normalize(full_precision(embeddings), dim=-1).to(self.device)

    @property
    def _longest_prompt(self) -> int:
        # RoBERTa numbers positions from pad_token_id + 1, so two of them can never be used.
        return min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings - 2)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Latent (B, C, T', F') -> log-mel spectrogram (B, T, bins) float32, differentiable."""
        latent = latent.to(self.vae.dtype) / self.vae.config.scaling_factor
        return full_precision(self.vae.decode(latent).sample.squeeze(1))

    def vocode(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mel spectrogram (B, T, bins) -> waveform (B, T * hop + a few) float32 in -1..1, differentiable."""
        return full_precision(self.vocoder(mel.to(self.vocoder.dtype)))

    def activation_bytes(self, seconds: float, *, guided: bool, through_network: bool, checkpointing: bool) -> int:
        """About how much memory a step needs beside the weights, for so many seconds of sound in all.

        Counted for the medium model with ImageBind's audio tower; what a run really takes varies with the kernels.
        """
        per_second = _UNGUIDED_BYTES
        if guided:
            per_second = _CHECKPOINTED_BYTES if checkpointing else _GUIDED_BYTES + through_network * _NETWORK_BYTES
        return int(seconds * per_second * self.unet.dtype.itemsize / 4)

    def denoiser(self, *, seconds: Fraction | float, steps: int, cfg: float = 2.5,
                 negative_prompt: str = "") -> AudioLDMDenoiser:
        """Make ready for one run; see AudioLDMDenoiser. Raises AlignerError for a length or step count of nothing."""
        return AudioLDMDenoiser(self, seconds=seconds, steps=steps, cfg=cfg, negative_prompt=negative_prompt)


class AudioLDMDenoiser:
    """AudioLDM ready to sample the stream "audio" by DDIM without added noise (eta 0).

    seconds: length of the sound; it is rendered to the sample. cfg: classifier-free guidance scale, the released code
    uses 2.5; 1 or less turns it off. Raises AlignerError if the length or the number of steps cannot be sampled.
    """

    streams = (STREAM,)

    def __init__(self, model: AudioLDM, *, seconds: Fraction | float, steps: int, cfg: float, negative_prompt: str):
        from diffusers import DDIMScheduler

        self.model, self.cfg, self.steps = model, float(cfg), steps
        self.samples = _samples(seconds, model.sample_rate)
        self.scheduler = DDIMScheduler.from_config(model.scheduler_config)
        _require_steps(steps, self.scheduler.config.num_train_timesteps)
        self.scheduler.set_timesteps(steps)
        self.negative = model.encode_prompts([negative_prompt]) if self.cfg > 1 else None

    @property
    def device(self) -> torch.device:
        return self.model.device

    def prompts(self, prompts: Sequence[str]) -> Streams:
        """The prompt embeddings of a batch."""
        return {STREAM: self.model.encode_prompts(prompts)}

    def noise(self, generators: Sequence[torch.Generator]) -> Streams:
        """Gaussian noise at the schedule's start, one sample per generator."""
        shape = self.model.latent_shape(self.samples)
        noise = torch.stack([torch.randn(shape, generator=generator, device=generator.device)
                             for generator in generators])
        noise = noise.to(self.device, torch.promote_types(self.model.unet.dtype, noise.dtype))
        return {STREAM: noise * self.scheduler.init_noise_sigma}

    def add_noise(self, clean: Streams, noise: Streams, index: int) -> Streams:
        """Clean latents brought to the noise level of a step (eq. 2)."""
        return {STREAM: self.scheduler.add_noise(clean[STREAM], noise[STREAM], self.scheduler.timesteps[index, None])}

    def predict(self, latents: Streams, prompts: Streams, index: int) -> Streams:
        z, y = latents[STREAM], prompts[STREAM]
        timestep = self.scheduler.timesteps[index].to(z.device)
        z_in = self.scheduler.scale_model_input(z, timestep)
        if self.negative is None:
            return {STREAM: self._network(z_in, timestep, y)}
        negative = self.negative.to(y.device).expand_as(y)
        if y.requires_grad and not z.requires_grad:
            # Prompt tuning alone: the unconditional half has no gradient, so it should not pay for one.
            with torch.no_grad():
                unconditional = self._network(z_in, timestep, negative)
            conditional = self._network(z_in, timestep, y)
        else:
            both = self._network(torch.cat([z_in, z_in]), timestep, torch.cat([negative, y]))
            unconditional, conditional = both.chunk(2)
        return {STREAM: unconditional + self.cfg * (conditional - unconditional)}

    def _network(self, z: torch.Tensor, timestep: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        unet = self.model.unet
        return full_precision(unet(z.to(unet.dtype), timestep, encoder_hidden_states=None,
                                   class_labels=prompts.to(unet.dtype)).sample)

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        alpha_bar = float(self.scheduler.alphas_cumprod[self.scheduler.timesteps[index]])
        a, b = x0_coefficients(self.scheduler.config.prediction_type, alpha_bar=alpha_bar)
        return {STREAM: a * latents[STREAM] + b * output[STREAM]}

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        timestep = self.scheduler.timesteps[index]
        return {STREAM: self.scheduler.step(output[STREAM], timestep, latents[STREAM]).prev_sample}

    def render(self, clean: Streams) -> dict[str, Sound]:
        waveform = self.model.vocode(self.model.decode(clean[STREAM]))
        return {STREAM: Sound(waveform, self.model.sample_rate, self.samples)}

    def checkpointable(self) -> list[nn.Module]:
        unet, decoder, vocoder = self.model.unet, self.model.vae.decoder, self.model.vocoder
        return [*unet.down_blocks, unet.mid_block, *unet.up_blocks, decoder.mid_block, *decoder.up_blocks,
                *vocoder.upsampler, *vocoder.resblocks]


@torch.inference_mode(False)
def load_audioldm(folder: str | Path, *, dtype: torch.dtype = torch.float32,
                  device: torch.device | str = "cpu") -> AudioLDM:
    """Load a folder as published (cvssp/audioldm-s-full-v2, -m-full, -l-full, or your own), strictly.

    Every component follows its own config. Raises CheckpointError naming the folder and what is wrong with it.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import ClapTextModelWithProjection, RobertaTokenizerFast, SpeechT5HifiGan

    folder = require_pipeline(folder, PIPELINE, COMPONENTS)
    classes = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "vocoder": SpeechT5HifiGan,
               "text_encoder": ClapTextModelWithProjection}
    components = {name: load_component(cls, folder, name, dtype, device) for name, cls in classes.items()}
    scheduler = load_part(DDIMScheduler, folder, "scheduler")
    return AudioLDM(**components, tokenizer=load_part(RobertaTokenizerFast, folder, "tokenizer"),
                    scheduler_config=scheduler.config)


def _samples(seconds: Fraction | float, sample_rate: int) -> int:
    if not (math.isfinite(seconds) and round(seconds * sample_rate) >= 1):
        raise AlignerError(f"The sound must be longer than nothing, not {float(seconds)} seconds.")
    return round(seconds * sample_rate)


def _require_steps(steps: int, timesteps: int) -> None:
    if not 1 <= steps <= timesteps:
        raise AlignerError(f"{steps} denoising steps cannot be taken: this model has {timesteps} timesteps. "
                           "30 is a good number.")
