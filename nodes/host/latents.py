"""ComfyUI's LATENT: what ours hold beside their samples, and the masks that they carry."""

import torch
import torch.nn.functional as F
from comfy import model_management

from ...aligner.errors import AlignerError
from ...aligner.generators.base import AudioModel, VideoModel
from ...aligner.values.numbers import number

MASK = "noise_mask"
#: Latent frames per second of a sound, and the samples that were asked for. Nodes that cut latents change neither.
FRAMES_PER_SECOND, SOUND_SAMPLES = "frames_per_second", "sound_samples"
_PICTURE_CHANNELS = 4


def sound_latent(latent: torch.Tensor, model: AudioModel, samples: int) -> dict:
    """(B, C, T', F') -> LATENT with the length asked for and the latent frames per second."""
    return {
        "samples": latent.to(model_management.intermediate_device()),
        "type": "audio",
        SOUND_SAMPLES: samples,
        FRAMES_PER_SECOND: model.sample_rate * latent.shape[2] / model.latent_samples(latent),
    }


def video_latent(latent: torch.Tensor, model: VideoModel) -> dict:
    """(1, C, F, h, w) -> LATENT of ComfyUI's own nodes for Stable Diffusion: (F, C, h, w), not scaled."""
    samples = latent[0].transpose(0, 1).contiguous() / model.latent_scale
    return {"samples": samples.to(model_management.intermediate_device())}


def samples_of(latent: dict) -> torch.Tensor:
    """The samples (B, C, height, width). Raises AlignerError for latents of other kinds of models."""
    samples = latent["samples"]
    if samples.is_nested:
        raise AlignerError(
            "This latent holds several streams. Separate them, and connect that of a picture or a sound."
        )
    if samples.ndim != 4:
        raise AlignerError(
            f"This latent has shape {tuple(samples.shape)}, but those of pictures, videos and sounds "
            "have 4 dimensions here. Use a latent of Stable Diffusion 1.5 or AudioLDM."
        )
    return samples


def is_sound(latent: dict) -> bool:
    """Whether a LATENT is a sound's. One that was saved and loaded holds samples alone: a picture's have 4 channels."""
    return latent.get("type") == "audio" or samples_of(latent).shape[1] != _PICTURE_CHANNELS


def frames_per_second(latent: dict) -> float:
    """Latent frames per second of a sound. Raises AlignerError where a node has left no rate there."""
    return number(latent.get(FRAMES_PER_SECOND, 25.0), "The latent's frames_per_second", 0.01, 10_000)


def mask_of(latent: dict) -> torch.Tensor | None:
    """The mask of a LATENT, (B, 1, height, width) of its samples, 1 where it is made anew; None without one."""
    mask = latent.get(MASK)
    if mask is None:
        return None
    count, _, *size = samples_of(latent).shape
    mask = mask.reshape(-1, 1, *mask.shape[-2:])
    scaled = mask if list(mask.shape[-2:]) == size else F.interpolate(mask, size=size, mode="bilinear")
    # ComfyUI's own samplers repeat masks in the same way.
    return scaled.repeat(-(-count // len(scaled)), 1, 1, 1)[:count].clamp(0, 1)


def stream_mask(latent: dict | None) -> torch.Tensor | None:
    """The mask of a LATENT in the shape of its stream, (B, 1, T, ...), 1 where it is made anew; None without one."""
    if latent is None or (mask := mask_of(latent)) is None:
        return None
    if not mask.any():
        raise AlignerError(
            "The mask of this latent is empty, so that nothing would be made anew. Paint what should change, or remove "
            "the mask."
        )
    return mask if is_sound(latent) else mask.transpose(0, 1)[None]
