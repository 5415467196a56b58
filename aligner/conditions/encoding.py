"""Conditions from what a user has: a video, a picture, a sound, a text. Each is embedded once, without a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import torch

from ..binders.imagebind import (
    ImageBind,
    embed_audio,
    embed_frames,
    embed_image,
    embed_text,
)
from ..binders.imagebind.encode import CLIPS_AT_ONCE
from ..errors import AlignerError
from ..media import VideoInfo, probe_video, read_frames, to_mono
from ..tensors.precision import full_precision
from ..timing.clips import CLIP_SAMPLINGS, ClipSampling, frame_indices
from .condition import Condition
from .masking import masked


@torch.no_grad()
def text_condition(binder: ImageBind, text: str, weight: float = 1.0) -> Condition:
    """A text. Longer than ImageBind's 77 tokens it is cut, as upstream does. Raises AlignerError if it is empty."""
    if not text.strip():
        raise AlignerError("The text of a condition is empty. Write something, or leave the condition out.")
    return Condition(embed_text(binder, [text]), weight)


def prompt_conditions(binder: ImageBind, prompts: Mapping[str, str], weight: float = 1.0) -> list[Condition]:
    """The prompts of streams as texts that steer them: one for all streams that share it, none if it is empty."""
    streams: dict[str, tuple[str, ...]] = {}
    for stream, prompt in prompts.items():
        if prompt.strip():
            streams[prompt] = (*streams.get(prompt, ()), stream)
    return [replace(text_condition(binder, prompt, weight), streams=steered) for prompt, steered in streams.items()]


@torch.no_grad()
def image_condition(
    binder: ImageBind, pixels: torch.Tensor, weight: float = 1.0, *, mask: torch.Tensor | None = None
) -> Condition:
    """A picture, (3, H, W) in 0..1. mask: see `masked`."""
    return Condition(embed_image(binder, masked(pixels[None], mask, torch.tensor([0]), 1)), weight)


@torch.no_grad()
def audio_condition(
    binder: ImageBind, waveform: torch.Tensor, sample_rate: int, weight: float = 1.0, *, clips: str = "released"
) -> Condition:
    """A sound, (channels, samples) nominally in -1..1. Channels are averaged. clips: best as in `Guidance`, whose
    default is "short"."""
    if waveform.ndim != 2 or not waveform.numel() or not waveform.is_floating_point():
        raise AlignerError(
            "A sound must be floats of shape (channels, samples) and not empty, but it is "
            f"{waveform.dtype} {tuple(waveform.shape)}."
        )
    embedding = embed_audio(
        binder, to_mono(full_precision(waveform)), sample_rate, _sampling(clips), at_once=CLIPS_AT_ONCE
    )
    return Condition(embedding, weight, Fraction(waveform.shape[-1], int(sample_rate)))


@torch.no_grad()
def frames_condition(
    binder: ImageBind,
    frames: torch.Tensor,
    fps: Fraction,
    weight: float = 1.0,
    *,
    clips: str = "released",
    mask: torch.Tensor | None = None,
    to_pixels: Callable[[torch.Tensor], torch.Tensor] = lambda frames: frames,
) -> Condition:
    """A video in memory at a constant rate. A single frame counts as a picture.

    frames: (N, 3, H, W) in 0..1, or whatever to_pixels turns into that: it is only asked for the frames looked at.
    mask: see `masked`.
    """
    if not fps > 0:
        raise AlignerError(f"The frame rate must be above 0, not {fps}.")
    times = torch.arange(len(frames), dtype=torch.float64) / float(fps)
    return _video_condition(
        binder,
        lambda indices: masked(to_pixels(frames[indices]), mask, indices, len(frames)),
        times,
        Fraction(len(frames)) / fps,
        weight,
        _sampling(clips),
    )


@torch.no_grad()
def video_condition(
    binder: ImageBind,
    source: str | Path | BinaryIO,
    weight: float = 1.0,
    *,
    clips: str = "released",
    mask: torch.Tensor | None = None,
    info: VideoInfo | None = None,
) -> Condition:
    """A video file, of which only the frames that the clips show are kept.

    mask: see `masked`. info: what `probe_video` said of it.
    """
    info = info or probe_video(source)

    def read(indices: torch.Tensor) -> torch.Tensor:
        frames = read_frames(source, indices.tolist()).permute(0, 3, 1, 2)
        return masked(frames, mask, indices, len(info.frame_times))

    return _video_condition(binder, read, info.frame_times, info.duration, weight, _sampling(clips))


def _video_condition(
    binder: ImageBind,
    read: Callable[[torch.Tensor], torch.Tensor],
    times: torch.Tensor,
    duration: Fraction,
    weight: float,
    sampling: ClipSampling,
) -> Condition:
    """read: gives the frames (n, 3, H, W) of some indices, floats in 0..1 or uint8. times: of all frames."""
    if len(times) == 1:
        return Condition(embed_image(binder, read(torch.tensor([0]))), weight, duration)
    spans = sampling.video.spans(float(duration))
    indices = frame_indices(times, spans, sampling.frames_per_clip)
    needed, positions = indices.unique(return_inverse=True)
    return Condition(embed_frames(binder, read(needed), positions, spans, sampling), weight, duration)


def _sampling(clips: str) -> ClipSampling:
    if clips not in CLIP_SAMPLINGS:
        raise AlignerError(f"Unknown clip sampling {clips!r}. Choose one of: {', '.join(CLIP_SAMPLINGS)}.")
    return CLIP_SAMPLINGS[clips]
