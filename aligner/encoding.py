"""Conditions from what a user has: a video, a picture, a sound, a text. Each is embedded once, without a graph."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import torch

from .conditions import Condition
from .errors import AlignerError
from .imagebind import ImageBind, embed_audio, embed_frames, embed_image, embed_text
from .imagebind.clips import CLIP_SAMPLINGS, ClipSampling, frame_indices
from .media import VideoInfo, probe_video, read_frames


@torch.no_grad()
def text_condition(binder: ImageBind, text: str, weight: float = 1.0) -> Condition:
    """A text. Longer than ImageBind's 77 tokens it is cut, as upstream does. Raises AlignerError if it is empty."""
    if not text.strip():
        raise AlignerError("The text of a condition is empty. Write something, or leave the condition out.")
    return Condition(embed_text(binder, [text]), weight)


@torch.no_grad()
def image_condition(binder: ImageBind, pixels: torch.Tensor, weight: float = 1.0) -> Condition:
    """A picture, (3, H, W) in 0..1."""
    return Condition(embed_image(binder, pixels[None].to(binder.vision.device)), weight)


@torch.no_grad()
def audio_condition(binder: ImageBind, waveform: torch.Tensor, sample_rate: int, weight: float = 1.0, *,
                    clips: str = "released") -> Condition:
    """A sound, (channels, samples) nominally in -1..1. Channels are averaged."""
    mono = waveform.float().mean(dim=0, keepdim=True).to(binder.audio.device)
    embedding = embed_audio(binder, mono, sample_rate, _sampling(clips))
    return Condition(embedding, weight, Fraction(waveform.shape[-1], sample_rate))


@torch.no_grad()
def frames_condition(binder: ImageBind, frames: torch.Tensor, fps: Fraction, weight: float = 1.0, *,
                     clips: str = "released") -> Condition:
    """A video in memory: frames (N, 3, H, W) in 0..1, at a constant rate. A single frame counts as a picture."""
    if not fps > 0:
        raise AlignerError(f"The frame rate must be above 0, not {fps}.")
    if len(frames) == 1:
        return image_condition(binder, frames[0], weight)
    times = torch.arange(len(frames), dtype=torch.float64) / float(fps)
    return _clips_condition(binder, lambda indices: frames[indices], times, len(frames) / fps, weight, _sampling(clips))


@torch.no_grad()
def video_condition(binder: ImageBind, source: str | Path | BinaryIO, weight: float = 1.0, *, clips: str = "released",
                    info: VideoInfo | None = None) -> Condition:
    """A video file, of which only the frames that the clips show are kept. info: what `probe_video` said of it."""
    info = info or probe_video(source)

    def read(indices: torch.Tensor) -> torch.Tensor:
        return read_frames(source, indices.tolist()).permute(0, 3, 1, 2)

    if len(info.frame_times) == 1:
        return image_condition(binder, read(torch.tensor([0]))[0] / 255, weight)
    return _clips_condition(binder, read, info.frame_times, info.duration, weight, _sampling(clips))


def _clips_condition(binder, read, times, duration: Fraction, weight, sampling: ClipSampling) -> Condition:
    spans = sampling.video.spans(float(duration))
    indices = frame_indices(times, spans, sampling.frames_per_clip)
    needed, positions = indices.unique(return_inverse=True)
    frames = read(needed).to(binder.vision.device)
    return Condition(embed_frames(binder, frames, positions, spans, sampling), weight, duration)


def _sampling(clips: str) -> ClipSampling:
    if clips not in CLIP_SAMPLINGS:
        raise AlignerError(f"Unknown clip sampling {clips!r}. Choose one of: {', '.join(CLIP_SAMPLINGS)}.")
    return CLIP_SAMPLINGS[clips]
