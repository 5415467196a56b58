"""What each result shows: its embeddings, and how its sound and its motion agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TypeVar

import torch

from ..binders.base import Binder, Embedding
from ..conditions.encoding import (
    audio_condition,
    image_condition,
    text_condition,
    video_condition,
)
from ..media import VideoInfo, read_audio, read_image, to_mono
from ..media.frames import Display
from ..media.timing import decoded_frames
from ..metrics import AVAlign, audio_onsets, av_align, local_maxima, motion_curve
from .models import LoadedModels
from .progress import bar
from .result_folder import Result

#: Motion is measured in frames whose shorter side has at most so many pixels.
MOTION_SIDE = 256

T = TypeVar("T")

#: By modality and by name. What a binder has a head of its own for is compared by that.
Embeddings = dict[str, dict[str, Embedding]]


def embedded(models: LoadedModels, results: Mapping[str, Result], clips: str, description: str) -> Embeddings:
    """The embeddings of everything that results hold, with a progress bar."""
    found: Embeddings = {}
    with models.on_device(*models.binder_parts("image", "video", "audio")):
        for name, result in progress(results, description):
            for embedding in _embeddings(models.binder, result, clips):
                found.setdefault(embedding.modality, {})[name] = embedding.mapped(torch.Tensor.cpu)
    return found


def embedded_captions(models: LoadedModels, captions: Mapping[str, str]) -> Embeddings:
    """The embeddings of captions."""
    with models.on_device(*models.binder_parts("text")):
        return {
            "text": {
                name: text_condition(models.binder, caption).embedding.mapped(torch.Tensor.cpu)
                for name, caption in captions.items()
            }
        }


def timing(results: Mapping[str, Result]) -> dict[str, AVAlign]:
    """AV-Align of the results that have both video and sound, with a progress bar."""
    return {name: _av_align(*recording) for name, recording in progress(with_both(results), "events")}


def with_both(results: Mapping[str, Result]) -> dict[str, tuple[Path, VideoInfo, Path]]:
    """The video, its description and the sound of the results that have both."""
    return {
        name: (video, info, sound)
        for name, result in results.items()
        if (video := result.video) and (info := result.info) and (sound := result.sound)
    }


def progress(results: Mapping[str, T], description: str) -> Iterator[tuple[str, T]]:
    """The items, with a progress bar."""
    return iter(bar(results.items(), desc=description, unit="file", delay=0.5, disable=not results))


def _embeddings(binder: Binder, result: Result, clips: str) -> Iterator[Embedding]:
    parts = binder.parts
    if result.video and "video" in parts:
        yield video_condition(binder, result.video, clips=clips, info=result.info).embedding
    if result.sound and "audio" in parts:
        yield audio_condition(binder, *read_audio(result.sound), clips=clips).embedding
    if result.picture and "image" in parts:
        yield image_condition(binder, read_image(result.picture)).embedding


def _av_align(video: Path, info: VideoInfo, sound: Path) -> AVAlign:
    waveform, sample_rate = read_audio(sound)
    peaks = local_maxima(motion_curve(displayed_frames(video, info, MOTION_SIDE)))
    return av_align(audio_onsets(to_mono(waveform)[0], sample_rate), info.frame_times[peaks].tolist(), float(info.fps))


def displayed_frames(video: Path, info: VideoInfo, shortest_side: int | None = None) -> Iterator[torch.Tensor]:
    """The frames (3, h, w) one by one, uint8, as displayed. shortest_side: in pixels; larger ones are scaled down."""
    scale = min(1.0, shortest_side / min(info.width, info.height)) if shortest_side else 1.0
    display = Display(info.geometry, scale)
    with closing(decoded_frames(video)) as frames:
        for frame in islice(frames, len(info.frame_times)):
            yield display.shown(frame).permute(2, 0, 1)
