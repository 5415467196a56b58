"""Texts, pictures, frames and sounds to points of ImageBind's space."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from ...parts import in_parts
from ...tensors.checkpointing import recomputed
from ...tensors.resampling import resampled
from ...timing.clips import ClipSampling, Span
from ..base import CLIPS_AT_ONCE, Embedding, in_seconds
from ..hearing import heard_in_clips
from ..inputs import graph_only_for, on_device, require_pictures, require_sounds, require_texts
from .audio import SAMPLE_RATE, audio_input
from .tokenizer import tokenize
from .towers import Towers
from .vision import clip_input, image_input


def embed_text(model: Towers, texts: Sequence[str]) -> Embedding:
    """Embed B texts; what exceeds 77 tokens is ignored. Raises AlignerError unless they are strings."""
    require_texts(texts)
    with graph_only_for(None):
        return Embedding(
            model.text(tokenize(texts).to(model.text.device)).unsqueeze(1), None, "text", model.fingerprint
        )


def embed_image(model: Towers, pixels: torch.Tensor) -> Embedding:
    """Embed pictures (B, 3, H, W): floats in 0..1 or uint8.

    The gradient flows to pixels that require it. Raises AlignerError for anything but finite RGB pictures.
    """
    require_pictures("pictures", pixels)
    with graph_only_for(pixels):
        pixels = on_device("pictures", pixels, model.vision.device)
        return Embedding(model.vision(image_input(pixels)).unsqueeze(1), None, "image", model.fingerprint)


def embed_frames(
    model: Towers, frames: torch.Tensor, indices: torch.Tensor, spans: Sequence[Span], sampling: ClipSampling
) -> Embedding:
    """Embed one video as clips: B = 1.

    frames: (N, 3, H, W), floats in 0..1 or uint8. indices: (S, T), the frames of each clip, T = 1 or 2 (see
    `frame_indices`). spans: the S clips' times. The gradient flows to frames that require it. Raises
    AlignerError for anything but finite RGB frames.
    """
    require_pictures("frames", frames)
    with graph_only_for(frames):
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
    many. at_once: see `heard_in_clips`. The gradient flows to a waveform that requires it. Raises AlignerError if there
    is no sound or it is not finite.
    """
    require_sounds(waveform, sample_rate)
    with graph_only_for(waveform):
        waveform = resampled(waveform.to(model.audio.device), sample_rate, SAMPLE_RATE)
        spans = sampling.audio.spans(waveform.shape[1] / SAMPLE_RATE, count)
        clips = heard_in_clips(partial(_heard, model), waveform, SAMPLE_RATE, spans, at_once)
        return Embedding(clips, in_seconds(spans), "audio", model.fingerprint)


def _heard(model: Towers, waveform: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
    """(B, n) at 16 kHz -> (B, S, D)."""
    inputs = audio_input(waveform, SAMPLE_RATE, spans)
    return model.audio(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])


def _embedded_clips(model: Towers, frames: torch.Tensor, indices: torch.Tensor, sampling: ClipSampling) -> torch.Tensor:
    """(S, T) indices -> (S, D), each clip the mean over its crops."""
    # Clip by clip, so that only 224 x 224 pixels of each are ever held in float32 together.
    inputs = torch.cat([_clip_input(model, frames[chosen], sampling) for chosen in indices.to(frames.device)])
    return model.vision(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2]).mean(dim=1)


def _clip_input(model: Towers, frames: torch.Tensor, sampling: ClipSampling) -> torch.Tensor:
    """(T, 3, H, W) -> (1, crops, 3, T, 224, 224), on the vision tower's device."""
    pixels = on_device("frames", frames, model.vision.device)
    return clip_input(pixels.transpose(0, 1).unsqueeze(0), sampling.crops)
