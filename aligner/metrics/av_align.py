"""AV-Align: whether something is heard when something moves, and only then."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

from ..errors import AlignerError
from .audio_onsets import audio_onsets
from .video_peaks import mean_flow, video_peaks

#: Rounding in a time must not turn a distance of one frame into less.
_ONE_FRAME = 1 - 1e-9


@dataclass(frozen=True)
class AVAlign:
    """How well the moments of a sound and of a video agree.

    matched: intersection over union where a moment of one has at most one partner in the other; in 0..1. reference: as
    published; above 1 where one movement is near several onsets. audio_peaks, video_peaks: the moments, in seconds.
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
    """AV-Align of a clip: local maxima of its motion against the onsets of its sound.

    frames: (F, 3, H, W) RGB, uint8 or floats in 0..1, or anything that yields such frames one by one; fps of them last
    a second. waveform: (n,) mono. motion: see `video_peaks`.

    Raises AlignerError for anything else.
    """
    return av_align(audio_onsets(waveform, sample_rate), video_peaks(frames, fps, motion=motion), fps)


def av_align(audio_peaks: Iterable[float], video_peaks: Iterable[float], fps: float) -> AVAlign:
    """AV-Align (Yariv et al., arXiv 2309.16429) of given moments in seconds, in any order.

    A moment of the sound and one of the video match if they are less than a frame, 1 / fps, apart. With i of a sounds
    and v movements matched the score is i / (a + v - i). Published code counts as i every onset that is near a
    movement, even one that others are near as well: `reference`. `matched` counts pairs.

    Where nothing sounds or nothing moves nothing matches: the score is 0. So it is where nothing does either, which
    published code divides by 0 for: a still and silent result must not be the best one.

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
    """The most pairs that match, no moment in two of them; both ascend.

    Pairing what comes first is the best that can be done. If the first two match, some best pairing contains that pair:
    where it gives them other partners, those lie later, and exchanging the partners leaves all four near enough; where
    it gives one of them none, that one can take the place. If they do not match, the earlier one is too early for all
    that remain, and no pair is lost with it.
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
