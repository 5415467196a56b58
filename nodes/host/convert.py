"""ComfyUI's IMAGE, AUDIO and VIDEO to the tensors of `aligner`, and back."""

import math
from fractions import Fraction

import numpy
import torch
from comfy import model_management
from comfy_api.latest import InputImpl
from PIL import Image

from ...aligner.errors import AlignerError

#: Frame rates travel between nodes as floats; real ones are fractions with small denominators.
LARGEST_DENOMINATOR = 1001
#: The largest rounding of a broadcast rate, such as 23.98 for 24000/1001.
ROUNDED = 0.005


def pixels(image: torch.Tensor) -> torch.Tensor:
    """IMAGE (B, H, W, C) of any float type, grey, RGB or RGBA -> (B, 3, H, W) float32 in 0..1, on white."""
    channels = image.shape[-1] if image.ndim else 0
    if image.ndim != 4 or channels not in (1, 3, 4):
        raise AlignerError(f"An IMAGE must have 1, 3 or 4 channels, but this one has shape {tuple(image.shape)}.")
    if not image.is_floating_point():
        raise AlignerError(f"An IMAGE must hold floats in 0..1, not {image.dtype}.")
    # Upscalers and colour nodes overshoot a little.
    image = image.to(torch.float32).clamp(0, 1).movedim(-1, 1)
    if channels == 4:
        alpha = image[:, 3:]
        return image[:, :3] * alpha + (1 - alpha)
    return image.expand(-1, 3, -1, -1)


def waveform(audio: dict | None) -> tuple[torch.Tensor, int]:
    """AUDIO -> (B, channels, samples) float32 and its rate. Raises AlignerError for a silent video's None."""
    if audio is None:
        raise AlignerError(
            "The AUDIO input is empty: the video that it comes from has no sound. Disconnect it, or connect a sound."
        )
    samples = audio["waveform"]
    if samples.ndim != 3 or not samples.numel():
        raise AlignerError(
            f"AUDIO must have shape (batch, channels, samples) and not be empty, but this has {tuple(samples.shape)}."
        )
    return samples.detach().to(torch.float32).clone(), int(audio["sample_rate"])


def exact_rate(fps: float) -> Fraction:
    """The frame rate that a float stands for: 23.976 and 23.98 are 24000/1001. Raises AlignerError for no rate."""
    if not (math.isfinite(fps) and fps > 0):
        raise AlignerError(f"The frame rate must be above 0, not {fps}.")
    broadcast = Fraction(round(fps * 1.001) * 1000, 1001)
    if fps != round(fps) and broadcast and abs(fps - broadcast) < ROUNDED:
        return broadcast
    return Fraction(fps).limit_denominator(LARGEST_DENOMINATOR)


def video_file(video):
    """The file behind a VIDEO; None where it has no file, or uses only a part of it."""
    if not isinstance(video, InputImpl.VideoFromFile):
        return None
    edited = (
        any(getattr(video, "get_active_trim_window", lambda: ())())
        or getattr(video, "has_pending_frame_edits", lambda: False)()
    )
    return None if edited else video.get_stream_source()


def audio_output(sound: torch.Tensor, sample_rate: int) -> dict:
    """(B, samples) -> AUDIO."""
    return {"waveform": sound.unsqueeze(1).to(model_management.intermediate_device()), "sample_rate": sample_rate}


def frames_output(pixels: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) in 0..1 -> IMAGE."""
    return pixels.movedim(1, -1).contiguous().to(model_management.intermediate_device())


def image_output(picture: Image.Image) -> torch.Tensor:
    """A Pillow picture -> IMAGE."""
    array = numpy.asarray(picture.convert("RGB"), dtype=numpy.float32) / 255
    return torch.from_numpy(array).unsqueeze(0).to(model_management.intermediate_device())
