"""ComfyUI's IMAGE and VIDEO to the tensors of `aligner`, and back. `gates` has checked them before."""

from fractions import Fraction

import numpy
import torch
from comfy import model_management
from comfy_api.latest import InputImpl
from PIL import Image

from ...aligner import settings
from ...aligner.errors import AlignerError, is_out_of_memory
from ...aligner.media import common_rate
from ...aligner.tensors.resampling import resampled
from ...aligner.values.numbers import number
from ...aligner.values.pictures import pictures
from ...aligner.values.sounds import sound

#: Frame rates travel between nodes as floats; real ones are fractions with small denominators.
LARGEST_DENOMINATOR = 1001
#: The largest rounding of a broadcast rate, such as 23.98 for 24000/1001.
ROUNDED = 0.005


def pixels(image: torch.Tensor) -> torch.Tensor:
    """IMAGE (B, H, W, C) of any float type, grey, RGB or RGBA -> (B, 3, H, W) float32 in 0..1, on white."""
    # Upscalers and colour nodes overshoot a little.
    image = image.to(torch.float32).clamp(0, 1).movedim(-1, 1)
    if image.shape[1] == 4:
        alpha = image[:, 3:]
        return image[:, :3] * alpha + (1 - alpha)
    return image.expand(-1, 3, -1, -1)


def exact_rate(fps: float) -> Fraction:
    """The frame rate that a float stands for: 23.976 and 23.98 are 24000/1001. Raises AlignerError for no rate."""
    fps = number(fps, "The frame rate", settings.FPS.low, settings.FPS.high)
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


def frames_of(video) -> tuple[torch.Tensor, Fraction]:
    """The frames of a VIDEO as an IMAGE, and their rate. Raises AlignerError where it holds none that can be used."""
    frames, rate, _ = components_of(video)
    return frames, rate


def components_of(video) -> tuple[torch.Tensor, Fraction, tuple[torch.Tensor, int] | None]:
    """The frames of a VIDEO as an IMAGE, their rate, and its sound (C, n) with the rate in Hz; None: it is silent.

    Raises AlignerError where it holds none that can be used.
    """
    try:
        components = video.get_components()
    except (OSError, ValueError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise AlignerError(f"The VIDEO cannot be decoded ({error}). Connect another one.") from error
    for name in ("images", "frame_rate"):
        if not hasattr(components, name):
            raise AlignerError(f"The VIDEO has no {name}. Connect another one.")
    rate = exact_rate(components.frame_rate)
    if isinstance(components.frame_rate, Fraction):
        rate = components.frame_rate
    heard = getattr(components, "audio", None)
    if heard is not None:
        sounds, sample_rate = sound(heard, "The sound of the VIDEO")
        heard = sounds[0], sample_rate
    return pictures(components.images, "The VIDEO"), rate, heard


def audio_output(sounds: torch.Tensor, sample_rate: int) -> dict:
    """(B, samples) -> AUDIO."""
    return {"waveform": sounds.unsqueeze(1).to(model_management.intermediate_device()), "sample_rate": sample_rate}


def at_common_rate(sounds: torch.Tensor, sample_rate: int) -> tuple[torch.Tensor, int]:
    """Sounds (B, samples) and their rate, resampled where nodes that save could not encode it."""
    rate = common_rate(sample_rate)
    return resampled(sounds, sample_rate, rate), rate


def frames_output(pixels: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) in 0..1 -> IMAGE."""
    return pixels.movedim(1, -1).contiguous().to(model_management.intermediate_device())


def image_output(picture: Image.Image) -> torch.Tensor:
    """A Pillow picture -> IMAGE."""
    array = numpy.asarray(picture.convert("RGB"), dtype=numpy.float32) / 255
    return torch.from_numpy(array).unsqueeze(0).to(model_management.intermediate_device())
