"""AudioLDM (arXiv 2301.12503): text-to-sound latent diffusion, from any folder in the diffusers layout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ... import settings
from ...errors import AlignerError
from ...files.diffusers_folders import (
    load_component,
    load_part,
    require_pipeline,
    require_vocabulary,
)
from ...tensors.precision import dtype_of, full_precision
from ..base import NO_GRADIENT, BackwardPass, Footprint, Network, Streams
from ..ddim import DDIMDenoiser, predicted
from ..signals import Sound
from ..windows import Windows
from .log_mel import FFT, FLOOR, log_mel

STREAM = "audio"
PIPELINE = "AudioLDMPipeline"
COMPONENTS = ("unet", "vae", "vocoder", "text_encoder", "tokenizer", "scheduler")

LONGEST_SECONDS = 3600
#: In seconds. Neighbouring windows then share more than the vocoder's receptive field.
SHORTEST_WINDOW = 2.0
#: Seconds of a sound that are encoded together.
ENCODED_TOGETHER = 20.0
#: How many clips of a sound in windows are embedded together: one per second of a usual window.
EMBEDDED_TOGETHER = 10

#: float32 activations per second of sound, in bytes. A plain step's largest.
_PLAIN_BYTES = 0.05 * 2**30
#: What the backward pass through VAE (1.4 GiB for 10 s) and vocoder (3.1) keeps, and (True) recomputes block by block.
_KEPT_BYTES = {False: 0.45 * 2**30, True: 0.13 * 2**30}
#: What the backward pass through the U-Net keeps on top.
_NETWORK_BYTES = 0.1 * 2**30


class AudioLDM(nn.Module):
    """The frozen weights: text encoder, U-Net, VAE, vocoder, and the noise schedule they were trained with.

    mel_floor: magnitudes below it counted as silence in training.
    """

    def __init__(
        self,
        unet: Network,
        vae: Network,
        vocoder: Network,
        text_encoder: Network,
        tokenizer,
        scheduler_config: dict,
        mel_floor: float = FLOOR,
    ):
        super().__init__()
        self.mel_floor = mel_floor
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
    def own_window(self) -> float:
        """Seconds of the windows in which it makes long sounds by itself: twice the length in its config."""
        return 2 * self.unet.config.sample_size * self.compression * self.hop / self.sample_rate

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
        tokens = self.tokenizer(
            list(prompts), padding=True, truncation=True, max_length=self._longest_prompt, return_tensors="pt"
        ).to(self.text_encoder.device)
        embeddings = self.text_encoder(tokens.input_ids, attention_mask=tokens.attention_mask).text_embeds
        return F.normalize(full_precision(embeddings), dim=-1).to(self.device)

    @property
    def _longest_prompt(self) -> int:
        # RoBERTa numbers positions from pad_token_id + 1, so two of them can never be used.
        return min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings - 2)

    @torch.no_grad()
    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        """Mono sound (B, n) in -1..1 at 16 kHz -> clean latents (B, C, T', F') float32, the end filled with silence."""
        count, step = self.latent_shape(max(waveform.shape[1], FFT))[1], self.compression * self.hop
        padded = F.pad(full_precision(waveform).to(self.vae.device), (0, count * step - waveform.shape[1]))
        mel = log_mel(padded, self.mel_floor).unsqueeze(1).to(dtype_of(self.vae))

        def encoded(numbers: torch.Tensor) -> torch.Tensor:
            first, last = int(numbers.flatten()[0]), int(numbers.flatten()[-1])
            part = mel[:, :, first * self.compression : (last + 1) * self.compression]
            return full_precision(self.vae.encode(part).latent_dist.mode())

        # Windows of latent frames, so that memory does not grow with the sound's length.
        windows = _windows(self, ENCODED_TOGETHER)
        return windows.apply(torch.arange(count).view(1, 1, -1), encoded) * self.vae.config.scaling_factor

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Latent (B, C, T', F') -> log-mel spectrogram (B, T, bins) float32, differentiable."""
        latent = latent.to(dtype_of(self.vae)) / self.vae.config.scaling_factor
        return full_precision(self.vae.decode(latent).sample.squeeze(1))

    def vocode(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mel spectrogram (B, T, bins) -> waveform (B, T * hop + a few) float32 in -1..1, differentiable."""
        return full_precision(self.vocoder(mel.to(dtype_of(self.vocoder))))

    def denoiser(
        self,
        *,
        seconds: Fraction | float = settings.SECONDS.default,
        steps: int = settings.AUDIO_STEPS.default,
        cfg: float = settings.AUDIO_CFG.default,
        negative_prompt: str = "",
        denoise: float = settings.DENOISE.default,
        window_seconds: float = settings.WINDOW_SECONDS.default,
    ) -> AudioLDMDenoiser:
        """Make ready for one run; see AudioLDMDenoiser."""
        return AudioLDMDenoiser(
            self,
            seconds=seconds,
            steps=steps,
            cfg=cfg,
            negative_prompt=negative_prompt,
            denoise=denoise,
            window_seconds=window_seconds,
        )


class AudioLDMDenoiser(DDIMDenoiser[AudioLDM]):
    """AudioLDM ready to sample the stream "audio".

    seconds: length of the sound, at most an hour; it is rendered to the sample. cfg: the released code uses 2.5.
    window_seconds: a longer sound is made in overlapping windows of this length, in memory that does not grow with it.
    0: windows of the model's own length where the sound is longer than two of them. The rest, and what is raised: see
    DDIMDenoiser.
    """

    def __init__(
        self,
        model: AudioLDM,
        *,
        seconds: Fraction | float,
        steps: int,
        cfg: float,
        negative_prompt: str,
        denoise: float,
        window_seconds: float,
    ):
        self.samples = require_samples(seconds, model.sample_rate)
        super().__init__(
            model,
            STREAM,
            model.latent_shape(self.samples),
            steps=steps,
            cfg=cfg,
            negative_prompt=negative_prompt,
            denoise=denoise,
            windows=_chosen_windows(model, self.samples / model.sample_rate, require_window(window_seconds)),
        )

    @property
    def seconds(self) -> Fraction:
        return Fraction(self.samples, self.model.sample_rate)

    @property
    def movable_streams(self) -> tuple[str, ...]:
        """A sound from noise may come earlier or later. One that starts from a given sound stays with it."""
        return self.streams if self.denoise == 1 else ()

    def network(self, latents: torch.Tensor, timestep: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        return predicted(self.model.unet, latents, timestep, encoder_hidden_states=None, class_labels=prompts)

    def render(self, clean: Streams) -> dict[str, Sound]:
        return {
            STREAM: Sound(
                self._vocoded(self.mel(clean)),
                self.model.sample_rate,
                self.samples,
                clips_at_once=EMBEDDED_TOGETHER if self.windows else None,
            )
        }

    def mel(self, clean: Streams) -> torch.Tensor:
        """Clean latents as a log-mel spectrogram (B, T, bins), differentiable."""
        if self.windows is None:
            return self.model.decode(clean[STREAM])
        return self.windows.apply(clean[STREAM], self.model.decode, result_axis=1, scale=self.model.compression)

    def _vocoded(self, mel: torch.Tensor) -> torch.Tensor:
        if self.windows is None:
            return self.model.vocode(mel)
        windows = self.windows.scaled(self.model.compression)
        return windows.apply(mel, self.model.vocode, axis=1, scale=self.model.hop)

    def footprint(self, batch: int, backward: Mapping[str, BackwardPass] = NO_GRADIENT) -> Footprint:
        """About how much memory a step takes, counted for the medium model; the kernels make it vary."""
        samples = self.samples
        if self.windows:
            samples = min(samples, self.windows.length * self.model.compression * self.model.hop)
        scale = batch * samples / self.model.sample_rate * dtype_of(self.model.unet).itemsize / 4
        moved = backward.get(STREAM)
        if moved is None:
            return Footprint(0, scale * _PLAIN_BYTES)
        kept = _KEPT_BYTES[moved.checkpointing]
        if (moved.to_latents or moved.to_prompt) and not moved.checkpointing:
            kept += _NETWORK_BYTES
        return Footprint(scale * kept, 0)

    def checkpointable(self) -> list[nn.Module]:
        unet, decoder, vocoder = self.model.unet, self.model.vae.decoder, self.model.vocoder
        return [
            *unet.down_blocks,
            unet.mid_block,
            *unet.up_blocks,
            decoder.mid_block,
            *decoder.up_blocks,
            *vocoder.upsampler,
            *vocoder.resblocks,
        ]


@torch.inference_mode(False)
def load_audioldm(
    folder: str | Path,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    mel_floor: float = FLOOR,
) -> AudioLDM:
    """Load a folder as published (cvssp/audioldm-s-full-v2, -m-full, -l-full, or your own), strictly.

    Every component follows its own config. mel_floor: see `AudioLDM`; no config holds it. Raises CheckpointError naming
    the folder and what is wrong with it.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import (
        ClapTextModelWithProjection,
        RobertaTokenizerFast,
        SpeechT5HifiGan,
    )

    folder = require_pipeline(folder, PIPELINE, COMPONENTS)
    classes = {
        "unet": UNet2DConditionModel,
        "vae": AutoencoderKL,
        "vocoder": SpeechT5HifiGan,
        "text_encoder": ClapTextModelWithProjection,
    }
    components: dict[str, Network] = {
        name: load_component(cls, folder, name, dtype, device) for name, cls in classes.items()
    }
    scheduler = load_part(DDIMScheduler, folder, "scheduler")
    tokenizer = load_part(RobertaTokenizerFast, folder, "tokenizer")
    require_vocabulary(tokenizer, components["text_encoder"].config.vocab_size, folder / "tokenizer")
    return AudioLDM(**components, tokenizer=tokenizer, scheduler_config=scheduler.config, mel_floor=mel_floor)


def require_window(seconds: float) -> float:
    """Return the length of windows; 0: the model's own. Raises AlignerError for one that is too short or too long."""
    if seconds != 0 and not SHORTEST_WINDOW <= seconds <= LONGEST_SECONDS:
        raise AlignerError(
            f"A window must last {SHORTEST_WINDOW:g} s or longer, not {seconds:g} s. AudioLDM was trained on 10 s."
        )
    return seconds


def _chosen_windows(model: AudioLDM, length: float, window: float) -> Windows | None:
    """The windows of a sound of `length` seconds; None: it is made in one piece."""
    if window:
        return _windows(model, window)
    return _windows(model, model.own_window) if length > 2 * model.own_window else None


def _windows(model: AudioLDM, seconds: float) -> Windows:
    """Windows of so many seconds that overlap by a quarter."""
    length = round(seconds * model.sample_rate / (model.hop * model.compression))
    return Windows(length, length // 4)


def require_samples(seconds: Fraction | float, sample_rate: int = 16000) -> int:
    """The number of samples of a length in seconds. Raises AlignerError for none, and for more than an hour."""
    if not (math.isfinite(seconds) and round(seconds * sample_rate) >= 1):
        raise AlignerError(f"The sound must be longer than nothing, not {float(seconds)} seconds.")
    if seconds > LONGEST_SECONDS:
        raise AlignerError(f"{float(seconds):.0f} seconds of sound are too many: {LONGEST_SECONDS} is the limit.")
    return round(seconds * sample_rate)
