"""What a VAE makes of a latent: which stream it is, and its signal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from comfy.model_management import dtype_size

from ...aligner.errors import AlignerError
from ...aligner.generators.signals import Frames, Sound
from ..host.convert import pixels

AUDIO, VIDEO = "audio", "video"
#: Core's decoders through which a gradient was seen to arrive. That of a pack has `passes_gradients = True`.
_WITH_GRADIENT = {
    "comfy.ldm.audio.autoencoder.AudioOobleckVAE",
    "comfy.ldm.lightricks.vae.causal_video_autoencoder.VideoVAE",
    "comfy.ldm.minimax_music.dav.MiniMaxMusic3DAV",
    "comfy.ldm.models.autoencoder.AutoencoderKL",
    "comfy.ldm.models.autoencoder.AutoencodingEngine",
    "comfy.ldm.wan.vae.WanVAE",
    "comfy.ldm.wan.vae2_2.WanVAE",
    "comfy.taesd.taehv.TAEHV",
    "comfy.taesd.taesd.TAESD",
}
#: How many values a decoder holds for its gradient, for every pixel or sample that it makes: 5,700 were seen with
#: Stable Diffusion's and Flux's, 4,500 with Wan's and 6,900 with Oobleck's.
_HELD_FOR_GRADIENT = 7000
#: Core's loudness of decoded sound: 5 standard deviations are at most full scale.
_DEVIATIONS = 5.0
_DEFAULT_RATE = 44100


@dataclass(frozen=True)
class Decoder:
    """A VAE. stream: "audio", or "video" for videos and pictures. fps: of a video's frames."""

    vae: Any
    stream: str
    fps: Fraction
    _samples: dict[tuple[int, ...], int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether latents of this shape (B, C, ...) have the dimensions and channels that the VAE decodes."""
        dimensions = self.vae.latent_dim + 2
        return len(shape) == dimensions and shape[1] == self.vae.latent_channels

    def seconds(self, shape: Sequence[int]) -> Fraction:
        """How long a latent of this shape lasts."""
        if self.stream == AUDIO:
            return Fraction(self.samples(shape), self.sample_rate)
        return Fraction(self.frames(shape)) / self.fps

    def frames(self, shape: Sequence[int]) -> int:
        """How many frames a latent of this shape gives."""
        if len(shape) < 5:
            return 1
        ratio = self.vae.upscale_ratio
        return ratio[0](shape[2]) if isinstance(ratio, tuple) else shape[2]

    def samples(self, shape: Sequence[int]) -> int:
        """How many samples of sound a latent of this shape gives. Often only the decoder knows."""
        key = tuple(shape[1:])
        if key not in self._samples:
            self._samples[key] = self.vae.decode(torch.zeros(1, *key)).shape[1]
        return self._samples[key]

    @property
    def sample_rate(self) -> int:
        vae = self.vae
        return int(
            getattr(vae, "audio_sample_rate_output", None) or getattr(vae, "audio_sample_rate", None) or _DEFAULT_RATE
        )

    def signal(self, latent: torch.Tensor) -> Sound | Frames:
        """The signal of a latent, decoded as ComfyUI's own nodes decode it, where ComfyUI leaves it: on the host."""
        return self._signal(self.vae.decode(latent))

    def differentiable(self, latent: torch.Tensor) -> Sound | Frames:
        """The same with a gradient, for a decoder that `load_on_device` brought onto its device.

        VAE.decode copies into tensors that are made beforehand. A gradient needs the decoder itself.
        """
        vae = self.vae
        decoded = vae.first_stage_model.decode(latent.to(vae.device, vae.vae_dtype))
        # process_output changes its argument in place.
        return self._signal(vae.process_output(decoded.float().clone()).movedim(1, -1))

    def require_gradient(self) -> None:
        """Raise AlignerError for a decoder through which no gradient is known to arrive."""
        model = self.vae.first_stage_model
        kind = type(model)
        if f"{kind.__module__}.{kind.__name__}" not in _WITH_GRADIENT and not getattr(model, "passes_gradients", False):
            raise AlignerError(
                f"Gradients do not pass through the decoder of this VAE ({kind.__name__}). Steer by Search Settings, "
                "which needs no gradient."
            )

    def gradient_bytes(self, shape: Sequence[int]) -> int:
        """The memory that a decoded latent of this shape holds for its gradient."""
        if self.stream == AUDIO:
            made = self.samples(shape)
        else:
            made = self.frames(shape) * math.prod(shape[-2:]) * self.vae.spacial_compression_decode() ** 2
        return shape[0] * made * _HELD_FOR_GRADIENT * dtype_size(self.vae.vae_dtype)

    def _signal(self, decoded: torch.Tensor) -> Sound | Frames:
        return self._sound(decoded) if self.stream == AUDIO else self._frames(decoded)

    def _sound(self, decoded: torch.Tensor) -> Sound:
        """Mono sound of (B, samples, channels)."""
        sound = decoded.movedim(-1, 1).float()
        # VAE Decode Audio makes loud sounds quieter in the same way.
        loudness = (sound.std(dim=[1, 2], keepdim=True) * _DEVIATIONS).clamp(min=1.0)
        waveform = (sound / loudness).mean(dim=1)
        return Sound(waveform, self.sample_rate, waveform.shape[1])

    def _frames(self, decoded: torch.Tensor) -> Frames:
        """Frames of (B, H, W, C) or (B, F, H, W, C)."""
        frames = decoded if decoded.ndim == 5 else decoded.unsqueeze(1)
        return Frames(pixels(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]), self.fps)


def decoder_of(vae: Any, fps: Fraction) -> Decoder:
    """A VAE as a decoder. Raises AlignerError for one that makes neither sound nor frames."""
    channels = getattr(vae, "output_channels", 3)
    if getattr(vae, "extra_1d_channel", None) or getattr(vae, "audio_sample_rate_output", None) or channels <= 2:
        return Decoder(vae, AUDIO, fps)
    if vae.latent_dim in (2, 3) and channels in (3, 4):
        return Decoder(vae, VIDEO, fps)
    raise AlignerError(
        f"A VAE with {channels} output channels in {vae.latent_dim} dimensions makes neither pictures, video nor "
        "sound. Connect the VAE that decodes what this MODEL makes."
    )


def matched(decoders: Sequence[Decoder], shapes: Sequence[Sequence[int]]) -> Mapping[int, Decoder]:
    """Which decoder decodes which of the latents, by their numbers.

    Raises AlignerError where no decoder fits any latent, and where one fits none.
    """
    found: dict[int, Decoder] = {}
    for decoder in decoders:
        fitting = [number for number, shape in enumerate(shapes) if number not in found and decoder.fits(shape)]
        if not fitting:
            vae = decoder.vae
            raise AlignerError(
                f"This MODEL samples latents of the shape {' and '.join(str(tuple(shape)) for shape in shapes)}, but "
                f"the connected VAE for {decoder.stream} decodes {vae.latent_channels} channels in {vae.latent_dim} "
                "dimensions. Connect the VAE that decodes what this MODEL makes."
            )
        found[fitting[0]] = decoder
    return found
