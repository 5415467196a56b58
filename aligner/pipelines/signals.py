"""What a pipeline returns, as the signals of streams."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import torch

from ..errors import AlignerError
from ..generators.animatediff import require_fps
from ..generators.signals import Frames, Sound
from ..tensors.precision import full_precision

#: The fields of an output, and the streams that they hold.
_STREAMS = {"images": "video", "frames": "video", "audios": "audio", "audio": "audio"}
#: The parts of a pipeline that may know the rate of its sound, and the names of it in their configurations.
_SOUNDING = ("vocoder", "audio_vae", "vae")
_RATES = ("output_sampling_rate", "sampling_rate", "sample_rate")
#: How calls name the frames per second, and the number of frames.
_FPS = ("frame_rate", "fps")
_NUMBERS = ("num_frames", "video_length")
#: A picture has no length of its own.
_A_PICTURE_A_SECOND = Fraction(1)


def signals_of(
    output: Mapping[str, Any], pipeline: Any, fps: Fraction | None, sample_rate: int | None
) -> dict[str, Sound | Frames]:
    """The streams of an output whose parts are tensors.

    fps: of a video. sample_rate: of a sound; None: the pipeline's own. Raises AlignerError where there is no stream, a
    video has no fps, a sound no rate, or the output holds several results.
    """
    signals: dict[str, Sound | Frames] = {}
    for name, stream in _STREAMS.items():
        values = output.get(name)
        if not isinstance(values, torch.Tensor):
            continue
        if len(values) > 1:
            raise AlignerError(
                f"This call makes {len(values)} results at once, but a seed is chosen for one. Steer them one by one."
            )
        values = full_precision(values)
        if stream == "audio":
            signals[stream] = _sound(values, sample_rate or _sample_rate(pipeline))
        else:
            signals[stream] = _frames(values, fps)
    if not signals:
        raise AlignerError(
            f"{type(pipeline).__name__} returns neither pictures, frames nor sound as tensors, so that nothing can be "
            "compared."
        )
    return signals


def fps_of(pipeline: Any, call: Mapping[str, Any], fps: float | Fraction | None) -> Fraction | None:
    """The frames per second: the given ones, else those of the call; None for pictures and sounds.

    Raises AlignerError for a video whose frames per second nobody names.
    """
    parameters = inspect.signature(pipeline.__call__).parameters
    if fps is None:
        named = [call.get(name, parameters[name].default) for name in _FPS if name in parameters]
        fps = next((each for each in named if isinstance(each, int | float)), None)
    if fps is None and any(name in parameters for name in _NUMBERS):
        raise _without_fps()
    return None if fps is None else require_fps(fps)


def _frames(values: torch.Tensor, fps: Fraction | None) -> Frames:
    """Pictures (1, 3, H, W) or a video (1, F, 3, H, W), in 0..1."""
    pixels = values if values.ndim == 5 else values.unsqueeze(1)
    if fps is None and pixels.shape[1] > 1:
        raise _without_fps()
    return Frames(pixels, fps or _A_PICTURE_A_SECOND)


def _sound(values: torch.Tensor, sample_rate: int) -> Sound:
    """A sound (1, n), or several channels of it (1, C, n), as the mean of its channels."""
    waveform = values.mean(dim=1) if values.ndim == 3 else values
    return Sound(waveform, sample_rate, waveform.shape[1])


def _sample_rate(pipeline: Any) -> int:
    for part in _SOUNDING:
        config = getattr(getattr(pipeline, part, None), "config", None)
        for name in _RATES:
            if rate := getattr(config, name, None):
                return int(rate)
    raise AlignerError(f"{type(pipeline).__name__} does not say the rate of its sound. Give sample_rate, in Hz.")


def _without_fps() -> AlignerError:
    return AlignerError("A video is compared by the second. Give fps, the frames per second at which it is shown.")
