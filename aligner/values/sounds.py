"""The gate of sounds."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ..errors import AlignerError
from ..tensors.precision import full_precision
from .naming import named
from .numbers import whole_number
from .tensors import real_tensor, require_within

#: Floats of a sound lie nominally in -1..1. Mixes may exceed it; 40 dB above it they are no longer meant as floats.
LOUDEST = 100.0
#: In Hz. Telephones have 8,000, and no converter has more than 768,000.
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000
#: Integers whose full scale is known, as in WAV files. Half of the bytes lies below 128.
_SIGNED = (torch.int8, torch.int16, torch.int32)
_DIGITS = 9


def sound(value: object, what: str) -> tuple[torch.Tensor, int]:
    """ComfyUI's AUDIO, {waveform (B, C, n), sample_rate}, as float32 and its rate in Hz.

    what: its name for messages. Integers are scaled to -1..1. Raises AlignerError for a silent video's None, and for
    anything that is no sound.
    """
    if value is None:
        raise AlignerError(
            "The AUDIO input is empty: the video that it comes from has no sound. Disconnect it, or connect a sound."
        )
    if not isinstance(value, Mapping):
        raise AlignerError(f"{what} must be AUDIO, such as Load Audio gives, not {named(value)}.")
    for part in ("waveform", "sample_rate"):
        if part not in value:
            raise AlignerError(f"{what} is AUDIO without its {part}. Connect the output of another node.")
    samples = waveform(value["waveform"], what, dimensions=3)
    return samples.float(), sample_rate(value["sample_rate"], what)


def waveform(value: object, what: str, *, dimensions: int) -> torch.Tensor:
    """Samples, at least float32: (B, C, n) of 3 dimensions or (C, n) of 2. Integers are scaled to -1..1.

    Raises AlignerError for another shape or type, and for samples that are NaN or louder than any sound.
    """
    samples = real_tensor(value, what)
    if samples.ndim != dimensions or not samples.numel():
        axes = "(batch, channels, samples)" if dimensions == 3 else "(channels, samples)"
        raise AlignerError(
            f"{what}: a sound must have shape {axes} and not be empty, but this has {tuple(samples.shape)}."
        )
    samples = _scaled(samples, what)
    require_within(samples, -LOUDEST, LOUDEST, what, "A sound lies in -1..1. Check the node that made it.")
    return samples


def sample_rate(value: object, what: str) -> int:
    """A sample rate in Hz. A text of digits is one. Raises AlignerError for anything else."""
    if isinstance(value, str) and value.strip().isdecimal() and len(value) <= _DIGITS:
        value = int(value)
    return whole_number(value, f"The sample rate of {what}", LOWEST_RATE, HIGHEST_RATE)


def of_full_scale(samples: torch.Tensor) -> torch.Tensor:
    """Integers as float32 in -1..1. Bytes without a sign have their middle at 128."""
    if samples.dtype == torch.uint8:
        return (samples.float() - 128) / 128
    return samples.float() / -torch.iinfo(samples.dtype).min


def _scaled(samples: torch.Tensor, what: str) -> torch.Tensor:
    if samples.is_floating_point():
        return full_precision(samples)
    if samples.dtype in (torch.uint8, *_SIGNED):
        return of_full_scale(samples)
    raise AlignerError(f"{what} holds {samples.dtype}, whose full scale is unknown. Convert it to floats in -1..1.")
