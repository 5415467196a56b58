"""Texts, pictures, frames and sounds to points of ImageBind's space."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial

import torch

from ...errors import AlignerError
from ...parts import in_parts
from ...tensors.checkpointing import recomputed
from ...tensors.pixels import unit_range
from ...tensors.resampling import resampled
from ...timing.clips import ClipSampling, Span
from ...values.sounds import LOWEST_RATE
from ..base import CLIPS_AT_ONCE, Embedding, in_seconds
from .audio import SAMPLE_RATE, audio_input
from .tokenizer import tokenize
from .towers import Towers
from .vision import clip_input, image_input


def embed_text(model: Towers, texts: Sequence[str]) -> Embedding:
    """Embed B texts; what exceeds 77 tokens is ignored. Raises AlignerError unless they are strings."""
    if isinstance(texts, str) or not texts or not all(isinstance(text, str) for text in texts):
        raise AlignerError("Texts to embed must be a list of at least one string.")
    with torch.inference_mode(False), torch.no_grad():
        return Embedding(
            model.text(tokenize(texts).to(model.text.device)).unsqueeze(1), None, "text", model.fingerprint
        )


def embed_image(model: Towers, pixels: torch.Tensor) -> Embedding:
    """Embed pictures (B, 3, H, W): floats in 0..1 or uint8.

    The gradient flows to pixels that require it. Raises AlignerError for anything but finite RGB pictures.
    """
    _require_pictures("pictures", pixels)
    with _graph_only_for(pixels):
        pixels = unit_range(pixels.to(model.vision.device))
        _require_unit_range("pictures", pixels)
        return Embedding(model.vision(image_input(pixels)).unsqueeze(1), None, "image", model.fingerprint)


def embed_frames(
    model: Towers, frames: torch.Tensor, indices: torch.Tensor, spans: Sequence[Span], sampling: ClipSampling
) -> Embedding:
    """Embed one video as clips: B = 1.

    frames: (N, 3, H, W), floats in 0..1 or uint8. indices: (S, T), the frames of each clip, T = 1 or 2 (see
    `frame_indices`). spans: the S clips' times. The gradient flows to frames that require it. Raises
    AlignerError for anything but finite RGB frames.
    """
    _require_pictures("frames", frames)
    with _graph_only_for(frames):
        # A few clips at a time, of a long video once more in the backward pass, so that memory does not grow with it.
        look = _embedded_clips if len(indices) <= CLIPS_AT_ONCE else partial(recomputed, _embedded_clips)
        parts = [look(model, frames, chosen, sampling) for chosen in in_parts(indices.split(CLIPS_AT_ONCE))]
        return Embedding(torch.cat(parts).unsqueeze(0), in_seconds(spans), "video", model.fingerprint)


def embed_audio(
    model: Towers,
    waveform: torch.Tensor,
    sample_rate: int,
    sampling: ClipSampling,
    count: int | None = None,
    at_once: int | None = None,
) -> Embedding:
    """Embed mono sounds (B, n) at `sample_rate` Hz as clips.

    count: how many clips, where the sound's own length should not decide: a vocoder returns a few samples too
    many. at_once: how many clips of each sound are heard together, and once more in a backward pass, so that memory
    does not grow with the length; None: all of them. The gradient flows to a waveform that requires it. Raises
    AlignerError if there is no sound or it is not finite.
    """
    if waveform.ndim != 2 or not waveform.numel() or not waveform.is_floating_point():
        raise AlignerError(
            "Sound to embed must be floats of shape (sounds, samples) and not empty, but is "
            f"{waveform.dtype} of shape {tuple(waveform.shape)}."
        )
    if sample_rate < LOWEST_RATE:
        raise AlignerError(f"A sample rate must be at least {LOWEST_RATE} Hz, not {sample_rate}.")
    _require_finite("sound", waveform)
    with _graph_only_for(waveform):
        waveform = resampled(waveform.to(model.audio.device), sample_rate, SAMPLE_RATE)
        spans = sampling.audio.spans(waveform.shape[1] / SAMPLE_RATE, count)
        if at_once is None:
            clips = _heard(model, waveform, spans)
        else:
            clips = torch.cat(
                [
                    recomputed(_heard, model, *_stretch(waveform, spans[first : first + at_once]))
                    for first in in_parts(range(0, len(spans), at_once))
                ],
                dim=1,
            )
        return Embedding(clips, in_seconds(spans), "audio", model.fingerprint)


def _stretch(waveform: torch.Tensor, spans: Sequence[Span]) -> tuple[torch.Tensor, list[Span]]:
    """The samples that neighbouring clips lie in, and the clips' times in them: the gradient of each is as short."""
    begin, end = int(spans[0][0] * SAMPLE_RATE), math.ceil(spans[-1][1] * SAMPLE_RATE)
    earlier = Fraction(begin, SAMPLE_RATE)
    return waveform[:, begin:end], [(start - earlier, stop - earlier) for start, stop in spans]


def _heard(model: Towers, waveform: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
    """(B, n) at 16 kHz -> (B, S, D)."""
    inputs = audio_input(waveform, SAMPLE_RATE, spans)
    return model.audio(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])


@contextmanager
def _graph_only_for(x: torch.Tensor) -> Iterator[None]:
    """Keep autograd as it is for an input that requires a gradient; otherwise build no graph.

    A constant embedding is made outside inference mode even if the caller is in it, because it will be the
    target of losses that are differentiated, which inference tensors refuse.
    """
    if x.requires_grad and torch.is_grad_enabled():
        yield
    else:
        with torch.inference_mode(False), torch.no_grad():
            yield


def _embedded_clips(model: Towers, frames: torch.Tensor, indices: torch.Tensor, sampling: ClipSampling) -> torch.Tensor:
    """(S, T) indices -> (S, D), each clip the mean over its crops."""
    # Clip by clip, so that only 224 x 224 pixels of each are ever held in float32 together.
    inputs = torch.cat([_clip_input(model, frames[chosen], sampling) for chosen in indices.to(frames.device)])
    return model.vision(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2]).mean(dim=1)


def _clip_input(model: Towers, frames: torch.Tensor, sampling: ClipSampling) -> torch.Tensor:
    """(T, 3, H, W) -> (1, crops, 3, T, 224, 224), on the vision tower's device."""
    pixels = unit_range(frames.to(model.vision.device))
    _require_unit_range("frames", pixels)
    return clip_input(pixels.transpose(0, 1).unsqueeze(0), sampling.crops)


def _require_pictures(name: str, pixels: torch.Tensor) -> None:
    if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.numel():
        raise AlignerError(
            f"The {name} to embed must be RGB, of shape (number, 3, height, width), none 0, "
            f"but their shape is {tuple(pixels.shape)}. Convert them first."
        )
    if pixels.dtype != torch.uint8 and not pixels.is_floating_point():
        raise AlignerError(f"The {name} to embed must be floats in 0..1 or uint8, not {pixels.dtype}.")


def _require_unit_range(name: str, pixels: torch.Tensor) -> None:
    _require_finite(name, pixels)
    # Resampled pictures overshoot a little; 0..255 is something else.
    if pixels.max() > 2:
        raise AlignerError(
            f"The {name} to embed must lie in 0..1, but reach {pixels.max().item():.0f}. Divide floats "
            "in 0..255 by 255, or pass uint8."
        )


def _require_finite(name: str, values: torch.Tensor) -> None:
    if not values.isfinite().all():
        raise AlignerError(f"The {name} to embed contain NaN or infinite values. Check what made them.")
