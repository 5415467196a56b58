"""What binders embed: the checks that all of them share, and the graph that they build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from ..errors import AlignerError
from ..tensors.pixels import unit_range
from ..values.sounds import LOWEST_RATE


@contextmanager
def graph_only_for(x: torch.Tensor | None) -> Iterator[None]:
    """Keep autograd as it is for an input that requires a gradient; otherwise build no graph.

    A constant embedding is made outside inference mode even if the caller is in it, because it will be the
    target of losses that are differentiated, which inference tensors refuse.
    """
    if x is not None and x.requires_grad and torch.is_grad_enabled():
        yield
    else:
        with torch.inference_mode(False), torch.no_grad():
            yield


def require_texts(texts: Sequence[str]) -> None:
    """Raise AlignerError unless these are strings, one at least."""
    if isinstance(texts, str) or not texts or not all(isinstance(text, str) for text in texts):
        raise AlignerError("Texts to embed must be a list of at least one string.")


def require_pictures(name: str, pixels: torch.Tensor) -> None:
    """Raise AlignerError unless pixels have the shape (N, 3, H, W) and are floats or uint8. name: "frames"."""
    if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.numel():
        raise AlignerError(
            f"The {name} to embed must be RGB, of shape (number, 3, height, width), none 0, "
            f"but their shape is {tuple(pixels.shape)}. Convert them first."
        )
    if pixels.dtype != torch.uint8 and not pixels.is_floating_point():
        raise AlignerError(f"The {name} to embed must be floats in 0..1 or uint8, not {pixels.dtype}.")


def on_device(name: str, pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Pixels as floats in 0..1 on a device. Raises AlignerError where they are not finite or reach beyond 2."""
    pixels = unit_range(pixels.to(device))
    _require_finite(name, pixels)
    # Resampled pictures overshoot a little; 0..255 is something else.
    if pixels.max() > 2:
        raise AlignerError(
            f"The {name} to embed must lie in 0..1, but reach {pixels.max().item():.0f}. Divide floats "
            "in 0..255 by 255, or pass uint8."
        )
    return pixels


def require_sounds(waveform: torch.Tensor, sample_rate: int) -> None:
    """Raise AlignerError unless a waveform is finite floats (B, n), not empty, at a rate that sound has."""
    if waveform.ndim != 2 or not waveform.numel() or not waveform.is_floating_point():
        raise AlignerError(
            "Sound to embed must be floats of shape (sounds, samples) and not empty, but is "
            f"{waveform.dtype} of shape {tuple(waveform.shape)}."
        )
    if sample_rate < LOWEST_RATE:
        raise AlignerError(f"A sample rate must be at least {LOWEST_RATE} Hz, not {sample_rate}.")
    _require_finite("sound", waveform)


def _require_finite(name: str, values: torch.Tensor) -> None:
    if not values.isfinite().all():
        raise AlignerError(f"The {name} to embed contain NaN or infinite values. Check what made them.")
