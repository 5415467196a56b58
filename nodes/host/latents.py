"""ComfyUI's LATENT: what ours say beside their samples, and the masks that they carry."""

import torch
import torch.nn.functional as F
from comfy import model_management

from ...aligner.errors import AlignerError
from ...aligner.generators.animatediff import AnimateDiff
from ...aligner.generators.audioldm import AudioLDM
from ...aligner.generators.base import Denoiser
from ...aligner.generators.inpainting import Inpainting

MASK = "noise_mask"
#: Of a sound's latent, and how many samples of sound it was made for; nodes that cut latents do not know of the latter.
FRAMES_PER_SECOND, SOUND_SAMPLES = "frames_per_second", "sound_samples"
_PICTURE_CHANNELS = 4


def sound_latent(latent: torch.Tensor, model: AudioLDM, samples: int) -> dict:
    """(B, C, T', F') -> LATENT, which remembers the length asked for and how fast time passes in it."""
    return {
        "samples": latent.to(model_management.intermediate_device()),
        "type": "audio",
        SOUND_SAMPLES: samples,
        FRAMES_PER_SECOND: model.sample_rate / (model.hop * model.compression),
    }


def video_latent(latent: torch.Tensor, model: AnimateDiff) -> dict:
    """(1, C, F, h, w) -> LATENT as ComfyUI's own nodes for Stable Diffusion take it: (F, C, h, w), not scaled."""
    samples = latent[0].transpose(0, 1).contiguous() / model.vae.config.scaling_factor
    return {"samples": samples.to(model_management.intermediate_device())}


def samples_of(latent: dict) -> torch.Tensor:
    """(B, C, height, width). Raises AlignerError for the latents of other kinds of models."""
    samples = latent["samples"]
    if samples.ndim != 4:
        raise AlignerError(
            f"This latent has shape {tuple(samples.shape)}, but those of pictures, videos and sounds "
            "have 4 dimensions here. Use a latent of Stable Diffusion 1.5 or AudioLDM."
        )
    return samples


def is_sound(latent: dict) -> bool:
    """Whether it is AudioLDM's. Saved and loaded again it has nothing but samples, of which a picture's have 4."""
    return latent.get("type") == "audio" or samples_of(latent).shape[1] != _PICTURE_CHANNELS


def mask_of(latent: dict) -> torch.Tensor | None:
    """The mask of a LATENT, (B, 1, height, width) of its samples, 1 where it is to be made anew; None without one."""
    mask = latent.get(MASK)
    if mask is None:
        return None
    count, _, *size = latent["samples"].shape
    mask = mask.detach().float().reshape(-1, 1, *mask.shape[-2:])
    scaled = mask if list(mask.shape[-2:]) == size else F.interpolate(mask, size=size, mode="bilinear")
    # One for all, or repeated as ComfyUI's own samplers do.
    return scaled.repeat(-(-count // len(scaled)), 1, 1, 1)[:count].clamp(0, 1)


def inpainting(denoiser: Denoiser, latent: dict | None) -> Denoiser:
    """The denoiser, which keeps what the mask of a LATENT covers, where there is one."""
    mask = None if latent is None else mask_of(latent)
    if mask is None:
        return denoiser
    if not mask.any():
        raise AlignerError(
            "The mask of this latent is empty, so that nothing would be made anew. Paint what should "
            "change, or remove the mask."
        )
    (stream,) = denoiser.streams
    return Inpainting(denoiser, {stream: mask if is_sound(latent) else mask.transpose(0, 1)[None]})
