"""What networks of published tables find in results, and AV-Align by its published parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F

from ..errors import AlignerError
from ..media import VideoInfo, read_audio, read_frames, to_mono
from ..metrics import AVAlign, av_align
from ..metrics.networks.i3d import FRAMES
from ..metrics.published_peaks import published_audio_peaks, published_video_peaks
from ..tensors.resampling import resampled
from .observations import displayed_frames, progress, with_both
from .result_folder import Result

#: Seconds that networks of sound hear at least, as in audioldm_eval.
SHORTEST = 2

T = TypeVar("T")


@torch.inference_mode()
def heard(
    results: Mapping[str, Result], hear: Callable[[torch.Tensor], T], rate: int, description: str
) -> dict[str, T]:
    """What a network hears in each sound: its whole length, mono, at `rate` Hz, without its constant part.

    Sounds of less than SHORTEST seconds end with silence up to there. hear: called with a waveform (n,).
    """
    sounds = {name: sound for name, result in results.items() if (sound := result.sound)}
    return {name: hear(_waveform(sound, rate)) for name, sound in progress(sounds, description)}


@torch.inference_mode()
def seen(
    results: Mapping[str, Result], see: Callable[[torch.Tensor], torch.Tensor], description: str
) -> dict[str, torch.Tensor]:
    """What a network sees in the first FRAMES frames of each video. see: called with (FRAMES, 3, H, W) uint8."""
    videos = {name: video for name, result in results.items() if (video := result.video)}
    return {
        name: see(read_frames(video, range(FRAMES)).permute(0, 3, 1, 2))
        for name, video in progress(videos, description)
    }


def require_frames(results: Mapping[str, Result]) -> None:
    """Raise AlignerError for a video of fewer than FRAMES frames."""
    for result in results.values():
        if result.info and len(result.info.frame_times) < FRAMES:
            raise AlignerError(
                f"FVD compares {FRAMES} frames of each video, and {result.video} has {len(result.info.frame_times)}. "
                "Take it out of the folder, or leave out --i3d."
            )


def published_timing(results: Mapping[str, Result]) -> dict[str, AVAlign]:
    """AV-Align of the results that have both video and sound, by OpenCV and librosa."""
    return {name: _published_av_align(*both) for name, both in progress(with_both(results), "published events")}


def _published_av_align(video: Path, info: VideoInfo, sound: Path) -> AVAlign:
    waveform, sample_rate = read_audio(sound)
    moments = published_audio_peaks(to_mono(waveform)[0], sample_rate)
    return av_align(moments, published_video_peaks(displayed_frames(video, info), float(info.fps)), float(info.fps))


def _waveform(sound: Path, rate: int) -> torch.Tensor:
    waveform, sample_rate = read_audio(sound)
    mono = to_mono(waveform)
    heard = resampled(mono - mono.mean(), sample_rate, rate)[0]
    return F.pad(heard, (0, max(0, SHORTEST * rate - len(heard))))
