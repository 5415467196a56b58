"""What a VAE makes of a latent: which stream it is, and its signal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from comfy import model_management

from ...aligner.errors import AlignerError
from ...aligner.generators.signals import Frames, Sound
from ..host.convert import pixels

AUDIO, VIDEO = "audio", "video"
#: Decoders through which a gradient was seen to arrive, by the names of ComfyUI's classes.
WITH_GRADIENT = {
    "AudioOobleckVAE",
    "AutoencoderKL",
    "AutoencodingEngine",
    "MiniMaxMusic3DAV",
    "TAEHV",
    "TAESD",
    "VideoVAE",
    "WanVAE",
}
#: Core's loudness of decoded sound: 5 standard deviations are at most full scale.
_DEVIATIONS = 5.0
_DEFAULT_RATE = 44100


@dataclass(frozen=True)
class Decoder:
    """A VAE. stream: "audio", or "video" for videos and pictures. fps: of a video's frames."""

    vae: Any
    stream: str
    fps: Fraction

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether latents of this shape (B, C, ...) have the dimensions and channels that the VAE decodes."""
        dimensions = self.vae.latent_dim + 2
        return len(shape) == dimensions and shape[1] == self.vae.latent_channels

    def seconds(self, shape: Sequence[int]) -> Fraction:
        """How long a latent of this shape lasts."""
        if self.stream == AUDIO:
            # How many samples a latent of two dimensions gives is known to its decoder alone.
            sound = self._sound(self.vae.decode(torch.zeros(1, *shape[1:])))
            return Fraction(sound.samples, sound.sample_rate)
        return Fraction(self.frames(shape)) / self.fps

    def frames(self, shape: Sequence[int]) -> int:
        """How many frames a latent of this shape gives."""
        if len(shape) < 5:
            return 1
        ratio = self.vae.upscale_ratio
        return ratio[0](shape[2]) if isinstance(ratio, tuple) else shape[2]

    def signal(self, latent: torch.Tensor) -> Sound | Frames:
        """The signal of a latent, decoded as ComfyUI's own nodes decode it."""
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
        name = type(self.vae.first_stage_model).__name__
        if name not in WITH_GRADIENT:
            raise AlignerError(
                f"Gradients do not pass through the decoder of this VAE ({name}). Steer by Search Settings, which "
                "needs no gradient."
            )

    def _signal(self, decoded: torch.Tensor) -> Sound | Frames:
        return self._sound(decoded) if self.stream == AUDIO else self._frames(decoded)

    def _sound(self, decoded: torch.Tensor) -> Sound:
        """Mono sound of (B, samples, channels)."""
        sound = decoded.movedim(-1, 1).float()
        # VAE Decode Audio makes loud sounds quieter in the same way.
        loudness = (sound.std(dim=[1, 2], keepdim=True) * _DEVIATIONS).clamp(min=1.0)
        waveform = (sound / loudness).mean(dim=1).to(model_management.get_torch_device())
        rate = getattr(self.vae, "audio_sample_rate_output", None) or getattr(self.vae, "audio_sample_rate", None)
        return Sound(waveform, int(rate or _DEFAULT_RATE), waveform.shape[1])

    def _frames(self, decoded: torch.Tensor) -> Frames:
        """Frames of (B, H, W, C) or (B, F, H, W, C)."""
        frames = decoded if decoded.ndim == 5 else decoded.unsqueeze(1)
        pictures = pixels(frames.flatten(0, 1)).to(model_management.get_torch_device())
        return Frames(pictures.unflatten(0, frames.shape[:2]), self.fps)


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
