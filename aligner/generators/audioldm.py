"""AudioLDM (arXiv 2301.12503): text-to-sound latent diffusion, from any folder in the diffusers layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import AlignerError, CheckpointError
from ..guidance import Guidance
from ..precision import dtype_of, full_precision
from ..signals import Sound
from .base import Streams, x0_coefficients
from .folders import load_component, load_part, require_pipeline

STREAM = "audio"
PIPELINE = "AudioLDMPipeline"
COMPONENTS = ("unet", "vae", "vocoder", "text_encoder", "tokenizer", "scheduler")

LONGEST_SECONDS = 3600
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")

#: float32 activations per second of sound: a plain step's largest, what the backward pass through VAE (1.4 GiB for
#: 10 s), vocoder (3.1) and ImageBind (1.0) keeps, the same recomputed block by block, and the U-Net's (1.0) on top.
_UNGUIDED_BYTES, _GUIDED_BYTES = int(0.05 * 2**30), int(0.55 * 2**30)
_CHECKPOINTED_BYTES, _NETWORK_BYTES = int(0.15 * 2**30), int(0.1 * 2**30)


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
        latent = latent.to(dtype_of(self.vae)) / self.vae.config.scaling_factor
        return full_precision(self.vae.decode(latent).sample.squeeze(1))

    def vocode(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mel spectrogram (B, T, bins) -> waveform (B, T * hop + a few) float32 in -1..1, differentiable."""
        return full_precision(self.vocoder(mel.to(dtype_of(self.vocoder))))

    def denoiser(self, *, seconds: Fraction | float, steps: int, cfg: float = 2.5, negative_prompt: str = "",
                 denoise: float = 1.0) -> AudioLDMDenoiser:
        """Make ready for one run; see AudioLDMDenoiser."""
        return AudioLDMDenoiser(self, seconds=seconds, steps=steps, cfg=cfg, negative_prompt=negative_prompt,
                                denoise=denoise)


class AudioLDMDenoiser:
    """AudioLDM ready to sample the stream "audio" by DDIM without added noise (eta 0).

    seconds: length of the sound, at most an hour; it is rendered to the sample. steps: of the whole schedule. cfg:
    classifier-free guidance scale, the released code uses 2.5; 1 or less turns it off. denoise: the part of the
    schedule that is sampled; below 1 sampling starts from a given latent, of which the more is kept the lower it is.

    Raises AlignerError if one of these, or the model's noise schedule, cannot be sampled.
    """

    streams = (STREAM,)

    def __init__(self, model: AudioLDM, *, seconds: Fraction | float, steps: int, cfg: float, negative_prompt: str,
                 denoise: float):
        self.model, self.cfg, self.denoise = model, require_strength(cfg), _part(denoise)
        self.samples = require_samples(seconds, model.sample_rate)
        self.scheduler = _scheduler(model.scheduler_config, steps)
        self.timesteps = self.scheduler.timesteps[-max(1, round(steps * denoise)):]
        self.steps = len(self.timesteps)
        self.negative = model.encode_prompts([negative_prompt]) if self.cfg > 1 else None

    @property
    def device(self) -> torch.device:
        return self.model.device

    def prompts(self, prompts: Sequence[str]) -> Streams:
        """The prompt embeddings of a batch."""
        return {STREAM: self.model.encode_prompts(prompts)}

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        """Gaussian noise; where denoise is below 1, upon the clean latent (eq. 2). Raises AlignerError without one."""
        shape = self.model.latent_shape(self.samples)
        noise = torch.stack([torch.randn(shape, generator=generator, device=generator.device)
                             for generator in generators])
        noise = noise.to(self.device, torch.promote_types(dtype_of(self.model.unet), noise.dtype))
        if clean and clean[STREAM].shape != noise.shape:
            raise AlignerError(f"The latent has shape {tuple(clean[STREAM].shape)}, but this length needs "
                               f"{tuple(noise.shape)}. Use a latent from the same model and length.")
        if self.denoise == 1:
            return {STREAM: noise * self.scheduler.init_noise_sigma}
        if not clean:
            raise AlignerError("denoise below 1 keeps a part of a latent, but no latent is connected.")
        return {STREAM: self.scheduler.add_noise(clean[STREAM], noise, self.timesteps[:1])}

    def predict(self, latents: Streams, prompts: Streams, index: int) -> Streams:
        z, y = latents[STREAM], prompts[STREAM]
        timestep = self.timesteps[index].to(z.device)
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
        unet, dtype = self.model.unet, dtype_of(self.model.unet)
        return full_precision(unet(z.to(dtype), timestep, encoder_hidden_states=None,
                                   class_labels=prompts.to(dtype)).sample)

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        alpha_bar = float(self.scheduler.alphas_cumprod[self.timesteps[index]])
        a, b = x0_coefficients(self.scheduler.config.prediction_type, alpha_bar=alpha_bar)
        return {STREAM: a * latents[STREAM] + b * output[STREAM]}

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        timestep = self.timesteps[index]
        return {STREAM: self.scheduler.step(output[STREAM], timestep, latents[STREAM]).prev_sample}

    def render(self, clean: Streams) -> dict[str, Sound]:
        waveform = self.model.vocode(self.model.decode(clean[STREAM]))
        return {STREAM: Sound(waveform, self.model.sample_rate, self.samples)}

    def activation_bytes(self, batch: int, guidance: Guidance | None = None) -> int:
        """About how much memory a step of so many variations needs beside the weights.

        Counted for the medium model with ImageBind's audio tower; what a run really takes varies with the kernels.
        """
        per_second = _UNGUIDED_BYTES
        if guidance and guidance.checkpointing:
            per_second = _CHECKPOINTED_BYTES
        elif guidance:
            per_second = _GUIDED_BYTES + guidance.needs_denoiser_gradient * _NETWORK_BYTES
        seconds = batch * self.samples / self.model.sample_rate
        return int(seconds * per_second * dtype_of(self.model.unet).itemsize / 4)

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
    tokenizer = load_part(RobertaTokenizerFast, folder, "tokenizer")
    words = components["text_encoder"].config.vocab_size
    if len(tokenizer) != words:
        # Without its files a tokenizer loads all the same, and knows no word.
        raise CheckpointError(f"{folder / 'tokenizer'} knows {len(tokenizer)} words, but the text encoder {words}. "
                              "Files such as vocab.json are missing there or belong to another model.")
    return AudioLDM(**components, tokenizer=tokenizer, scheduler_config=scheduler.config)


def require_samples(seconds: Fraction | float, sample_rate: int = 16000) -> int:
    """How many samples a length is; raises AlignerError if it is none or too many."""
    if not (math.isfinite(seconds) and round(seconds * sample_rate) >= 1):
        raise AlignerError(f"The sound must be longer than nothing, not {float(seconds)} seconds.")
    if seconds > LONGEST_SECONDS:
        raise AlignerError(f"{float(seconds):.0f} seconds of sound are too many: {LONGEST_SECONDS} is the limit.")
    return round(seconds * sample_rate)


def require_strength(cfg: float) -> float:
    """A scale of classifier-free guidance as it is; raises AlignerError if it is none."""
    if not (math.isfinite(cfg) and cfg >= 0):
        raise AlignerError(f"cfg must be 0 or more, not {cfg}. 2.5 is usual.")
    return float(cfg)


def _part(denoise: float) -> float:
    if not 0 < denoise <= 1:
        raise AlignerError(f"denoise must be above 0 and at most 1, not {denoise}.")
    return float(denoise)


def _scheduler(config: dict, steps: int):
    """DDIM with its timesteps set. Raises AlignerError for steps or a schedule that DDIM cannot take."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(config)
    timesteps = scheduler.config.num_train_timesteps
    if not isinstance(steps, int) or not 1 <= steps <= timesteps:
        raise AlignerError(f"{steps} denoising steps cannot be taken: this model has {timesteps} timesteps. "
                           "30 is a good number.")
    scheduler.set_timesteps(steps)
    if scheduler.timesteps.max() >= timesteps:
        raise AlignerError(f"{steps} denoising steps reach beyond this model's {timesteps} timesteps. Take fewer.")
    if scheduler.config.prediction_type not in PREDICTION_TYPES:
        raise AlignerError(f"This AudioLDM predicts {scheduler.config.prediction_type!r}, which DDIM cannot sample. "
                           f"Known are {', '.join(PREDICTION_TYPES)}.")
    if scheduler.config.prediction_type == "epsilon" and scheduler.alphas_cumprod[scheduler.timesteps[0]] <= 0:
        raise AlignerError("This model's noise schedule ends without signal, where a predicted noise says nothing. "
                           "Its scheduler_config.json should name another prediction_type.")
    return scheduler
