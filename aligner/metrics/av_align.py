"""AV-Align: temporal alignment of the onsets of a sound with the motion peaks of a video."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

from ..errors import AlignerError
from .audio_onsets import audio_onsets
from .video_peaks import mean_flow, video_peaks

#: Slightly below 1, so that rounding errors in times do not make a distance of one frame a match.
_ONE_FRAME = 1 - 1e-9


@dataclass(frozen=True)
class AVAlign:
    """AV-Align scores, and the peaks that they compare.

    matched: intersection over union under one-to-one matching, in 0..1. reference: the score of the published code,
    which can exceed 1 if several onsets are near one motion peak. audio_peaks, video_peaks: times in seconds,
    ascending.
    """

    matched: float
    reference: float
    audio_peaks: tuple[float, ...]
    video_peaks: tuple[float, ...]


def av_align_of_clip(
    frames: torch.Tensor | Iterable[torch.Tensor],
    fps: float,
    waveform: torch.Tensor,
    sample_rate: int,
    *,
    motion: Callable[[torch.Tensor], torch.Tensor] = mean_flow,
) -> AVAlign:
    """AV-Align of a clip: compares the local maxima of its motion with the onsets of its sound.

    frames: (F, 3, H, W) RGB, uint8 or floats in 0..1, or an iterable of such frames (3, H, W). fps: frames per second.
    waveform: float (n,), mono. sample_rate: in Hz. motion: see `video_peaks`.

    Raises AlignerError for other shapes or types, or values that are not finite.

    Example:
        score = av_align_of_clip(frames, 8.0, waveform, 16000).matched
    """
    return av_align(audio_onsets(waveform, sample_rate), video_peaks(frames, fps, motion=motion), fps)


def av_align(audio_peaks: Iterable[float], video_peaks: Iterable[float], fps: float) -> AVAlign:
    """AV-Align (Yariv et al., arXiv 2309.16429) of given peaks, in seconds and in any order.

    An audio peak and a video peak match if they are less than one frame, 1 / fps, apart. The score is intersection
    over union, i / (a + v - i), for a audio peaks, v video peaks and i matches. `reference` counts as i every audio
    peak that is near some video peak, as the published code does. `matched` counts pairs, each peak in at most one.

    Without audio peaks or without video peaks the score is 0. If both are missing, the published code divides by 0;
    here the score is 0 as well, so that a still and silent result does not rank best.

    Raises AlignerError if fps is not above 0 or a time is not finite.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise AlignerError(f"The frame rate must be above 0, not {fps}.")
    audio, video = _moments(audio_peaks), _moments(video_peaks)
    near = sum(any(_match(onset, movement, fps) for movement in video) for onset in audio)
    return AVAlign(_over_union(_pairs(audio, video, fps), audio, video), _over_union(near, audio, video), audio, video)


def _moments(times: Iterable[float]) -> tuple[float, ...]:
    moments = tuple(sorted(float(time) for time in times))
    if not all(math.isfinite(time) for time in moments):
        raise AlignerError(f"Peaks must be finite times in seconds, not {', '.join(map(str, moments))}.")
    return moments


def _match(onset: float, movement: float, fps: float) -> bool:
    return abs(onset - movement) * fps < _ONE_FRAME


def _over_union(intersection: int, audio: Sequence[float], video: Sequence[float]) -> float:
    return intersection / (len(audio) + len(video) - intersection) if intersection else 0.0


def _pairs(audio: Sequence[float], video: Sequence[float], fps: float) -> int:
    """The size of a maximum one-to-one matching of two ascending sequences of peaks.

    The greedy matching is optimal. If the first peaks match, some maximum matching contains this pair: other partners
    of the two lie later, and exchanging the partners keeps both pairs close enough; if one of the two is unmatched, it
    can replace the other's partner. If the first peaks do not match, the earlier one is too early for all remaining
    peaks and can be dropped.
    """
    pairs = heard = seen = 0
    while heard < len(audio) and seen < len(video):
        if _match(audio[heard], video[seen], fps):
            pairs, heard, seen = pairs + 1, heard + 1, seen + 1
        elif audio[heard] < video[seen]:
            heard += 1
        else:
            seen += 1
    return pairs
