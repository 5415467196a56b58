"""ComfyUI's IMAGE, AUDIO, VIDEO and LATENT to what `aligner` takes, and back."""

from fractions import Fraction

import numpy
import torch
from PIL import Image

from comfy import model_management
from comfy_api.latest import InputImpl

from ..aligner.errors import AlignerError

#: Frame rates travel between nodes as floats; real ones are fractions with small denominators (24000/1001).
LARGEST_DENOMINATOR = 1001


def pixels(image: torch.Tensor) -> torch.Tensor:
    """IMAGE (B, H, W, C) of any float type, grey, RGB or RGBA -> (B, 3, H, W) float32 in 0..1, on white."""
    channels = image.shape[-1]
    if image.ndim != 4 or channels not in (1, 3, 4):
        raise AlignerError(f"An IMAGE must have 1, 3 or 4 channels, but this one has shape {tuple(image.shape)}.")
    # Cloned: tensors from other nodes are inference tensors.
    image = image.detach().to(torch.float32).clone().movedim(-1, 1)
    if channels == 4:
        alpha = image[:, 3:]
        return image[:, :3] * alpha + (1 - alpha)
    return image.expand(-1, 3, -1, -1)


def waveform(audio: dict | None) -> tuple[torch.Tensor, int]:
    """AUDIO -> (B, channels, samples) float32 and its rate. Raises AlignerError for a silent video's None."""
    if audio is None:
        raise AlignerError("The AUDIO input is empty: the video that it comes from has no sound. Disconnect it, or "
                           "connect a sound.")
    return audio["waveform"].detach().to(torch.float32).clone(), int(audio["sample_rate"])


def exact_rate(fps: float) -> Fraction:
    """23.976... -> 24000/1001. Raises AlignerError for a rate of nothing."""
    if not fps > 0:
        raise AlignerError(f"The frame rate must be above 0, not {fps}.")
    return Fraction(fps).limit_denominator(LARGEST_DENOMINATOR)


def video_file(video):
    """The file behind a VIDEO, or None where it has none or only a part of it is meant."""
    if not isinstance(video, InputImpl.VideoFromFile):
        return None
    trimmed = any(getattr(video, "get_active_trim_window", lambda: (0, 0))())
    return None if trimmed else video.get_stream_source()


def audio_output(sound: torch.Tensor, sample_rate: int) -> dict:
    """(B, samples) -> AUDIO."""
    return {"waveform": sound.unsqueeze(1).to(model_management.intermediate_device()), "sample_rate": sample_rate}


def image_output(picture: Image.Image) -> torch.Tensor:
    """A Pillow picture -> IMAGE."""
    array = numpy.asarray(picture.convert("RGB"), dtype=numpy.float32) / 255
    return torch.from_numpy(array).unsqueeze(0).to(model_management.intermediate_device())
