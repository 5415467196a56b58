"""Conditions from what people have: a video, a picture, a sound, a text. Each is embedded once, without a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import torch

from .. import settings
from ..binders.base import CLIPS_AT_ONCE, Binder, sampling_of
from ..binders.several import Several, members_of
from ..errors import AlignerError
from ..media import VideoInfo, probe_video, read_frames, shown_frames, to_mono
from ..parts import in_parts, reached
from ..synchrony import SIDE, heard_in_parts
from ..tensors.pixels import unit_range
from ..timing.clips import ClipSampling, frame_indices
from ..values.sounds import sample_rate as sample_rate_of
from ..values.sounds import waveform as waveform_of
from ..values.tensors import real_tensor
from ..values.texts import text as text_of
from .condition import Condition
from .masking import masked
from .onsets import seen

CLIPS = settings.CLIPS.default
#: How many frames of a video are looked at together for its onsets.
_LOOKED_AT = 64
#: Moments a second of the fastest motion in a video of uneven frame times.
_FASTEST = 60.0
#: Numbers of frames and these frames, part by part.
Parts = Iterator[tuple[torch.Tensor, torch.Tensor]]
_PICTURE, _VIDEO, _SOUND = "The picture of a condition", "The video of a condition", "The sound of a condition"


@torch.no_grad()
def text_condition(binder: Binder, text: str, weight: float = 1.0) -> Condition:
    """Embed a text. A binder cuts what exceeds its length: ImageBind 77 tokens. Raises AlignerError if it is empty."""
    if not text_of(text, "The text of a condition").strip():
        raise AlignerError("The text of a condition is empty. Write something, or leave the condition out.")
    return Condition(binder.embed_text([text]), weight)


def prompt_conditions(binder: Binder | Several, prompts: Mapping[str, str]) -> list[Condition]:
    """Embed the generators' own prompts as conditions, so that a rule's text_weight can make them targets.

    prompts: by stream. Streams that share a text share one condition; an empty text gives none.
    """
    streams: dict[str, tuple[str, ...]] = {}
    for stream, prompt in prompts.items():
        if prompt.strip():
            streams[prompt] = (*streams.get(prompt, ()), stream)
    return [
        replace(text_condition(member.binder, prompt), streams=steered, prompt=True)
        for prompt, steered in streams.items()
        for member in members_of(binder)
    ]


@torch.no_grad()
def image_condition(
    binder: Binder, pixels: torch.Tensor, weight: float = 1.0, *, mask: torch.Tensor | None = None
) -> Condition:
    """Embed a picture (3, H, W) in 0..1. mask: see `masked`."""
    shown = masked(real_tensor(pixels, _PICTURE)[None], mask, torch.tensor([0]), 1, binder.mean_colour)
    return Condition(binder.embed_image(shown), weight)


@torch.no_grad()
def audio_condition(
    binder: Binder, waveform: torch.Tensor, sample_rate: int, weight: float = 1.0, *, clips: str = CLIPS
) -> Condition:
    """Embed a sound (channels, samples), floats nominally in -1..1 or integers. Channels are averaged.

    clips: how it is cut, best as the rule that it steers says. Raises AlignerError for anything else.
    """
    sound, rate = waveform_of(waveform, _SOUND, dimensions=2), sample_rate_of(sample_rate, _SOUND)
    reached(0, 1)  # a host may end the work between passes over a long sound
    mono = to_mono(sound)
    embedding = binder.embed_audio(mono, rate, sampling_of(binder, clips), at_once=CLIPS_AT_ONCE)
    return Condition(embedding, weight, Fraction(sound.shape[-1], rate), onsets=heard_in_parts(mono, rate))


@torch.no_grad()
def frames_condition(
    binder: Binder,
    frames: torch.Tensor,
    fps: Fraction,
    weight: float = 1.0,
    *,
    clips: str = CLIPS,
    mask: torch.Tensor | None = None,
    to_pixels: Callable[[torch.Tensor], torch.Tensor] = lambda frames: frames,
) -> Condition:
    """Embed a video in memory at a constant rate. A single frame counts as a picture.

    frames: (N, 3, H, W) in 0..1, or whatever to_pixels turns into that; it is called for the frames that the clips
    show. clips: see `audio_condition`. mask: see `masked`.
    """
    if not fps > 0:
        raise AlignerError(f"The frame rate must be above 0, not {fps}.")
    frames = real_tensor(frames, _VIDEO)
    if not len(frames):
        raise AlignerError(f"{_VIDEO} has no frames. Check what made it.")

    def read(indices: torch.Tensor) -> torch.Tensor:
        return masked(to_pixels(frames[indices]), mask, indices, len(frames), binder.mean_colour)

    def look(indices: torch.Tensor) -> Parts:
        return ((part, read(part)) for part in in_parts(indices.split(_LOOKED_AT)))

    times = torch.arange(len(frames), dtype=torch.float64) / float(fps)
    return _video_condition(binder, read, look, times, Fraction(len(frames)) / fps, weight, sampling_of(binder, clips))


@torch.no_grad()
def video_condition(
    binder: Binder,
    source: str | Path | BinaryIO,
    weight: float = 1.0,
    *,
    clips: str = CLIPS,
    mask: torch.Tensor | None = None,
    info: VideoInfo | None = None,
) -> Condition:
    """Embed a video file. Only the frames that the clips show are held in memory.

    clips: see `audio_condition`. mask: see `masked`. info: from `probe_video`, where the caller has it already.
    """
    info = info or probe_video(source)

    def seen_through(indices: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        return masked(frames.permute(0, 3, 1, 2), mask, indices, len(info.frame_times), binder.mean_colour)

    def read(indices: torch.Tensor) -> torch.Tensor:
        return seen_through(indices, read_frames(source, indices.tolist()))

    def look(indices: torch.Tensor) -> Parts:
        shown = shown_frames(source, indices.tolist(), longest_side=SIDE)
        while part := list(islice(shown, _LOOKED_AT)):
            numbers = torch.tensor([number for number, _ in part])
            yield numbers, seen_through(numbers, torch.stack([frame for _, frame in part]))

    return _video_condition(binder, read, look, info.frame_times, info.duration, weight, sampling_of(binder, clips))


def _video_condition(
    binder: Binder,
    read: Callable[[torch.Tensor], torch.Tensor],
    look: Callable[[torch.Tensor], Parts],
    times: torch.Tensor,
    duration: Fraction,
    weight: float,
    sampling: ClipSampling,
) -> Condition:
    """read: indices (n,) -> those frames (n, 3, H, W). look: the same in parts, small. times: of all frames, in s."""
    if len(times) == 1:
        return Condition(binder.embed_image(read(torch.tensor([0]))), weight, duration)
    spans = sampling.video.spans(float(duration))
    indices = frame_indices(times, spans, sampling.frames_per_clip)
    needed, positions = indices.unique(return_inverse=True)
    embedding = binder.embed_frames(read(needed), positions, spans, sampling)
    # The frame in the middle of each moment is on screen, however uneven the times are.
    fps = _clock(times, float(duration))
    moments = (torch.arange(max(2, round(float(duration) * fps)), dtype=torch.float64) + 0.5) / fps
    on_screen = (torch.searchsorted(times, moments, right=True) - 1).clamp(min=0)
    parts = ((numbers, unit_range(frames)) for numbers, frames in look(on_screen.unique()))
    return Condition(embedding, weight, duration, onsets=seen(parts, on_screen, fps))


def _clock(times: torch.Tensor, duration: float) -> float:
    """Moments a second at which motion is looked at: as many as frames, and more where some follow faster.

    times: of frames, in s, ascending.
    """
    average, gaps = len(times) / duration, times.diff()
    shortest = gaps[gaps > 0].min().item() if (gaps > 0).any() else duration
    return min(_FASTEST, 1 / shortest) if shortest < 0.5 / average else average
