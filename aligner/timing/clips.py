"""Clips: how a recording is cut, as arithmetic on times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch

from ..errors import AlignerError

#: Start and end of a clip in seconds, exact, so that int(start * sample_rate) is the same sample as upstream.
Span = tuple[Fraction, Fraction]

#: Times closer than this are equal: rounding in a time stamp must not add a clip or move a frame to another clip.
_SAME_TIME = 1e-6


@dataclass(frozen=True)
class Cut:
    """Clips of `seconds` each, evenly spread over a recording: `count` of them; None: as many as cover it."""

    seconds: float
    count: int | None

    def count_for(self, duration: float) -> int:
        """How many clips a recording of `duration` seconds gives."""
        return self.count or max(1, math.ceil(duration / self.seconds - _SAME_TIME))

    def spans(self, duration: float, count: int | None = None) -> list[Span]:
        """The clips of a recording of `duration` seconds, or `count` clips of it."""
        return clip_spans(duration, self.seconds, self.count_for(duration) if count is None else count)


@dataclass(frozen=True)
class ClipSampling:
    """How a binder cuts video and sound into clips.

    frames_per_clip: frames of each clip that are embedded, evenly spaced from its first to its last. crops: "squash"
    shrinks frames to a square; "three" cuts three squares (left, centre, right, or top, centre, bottom) and averages
    their embeddings.
    """

    video: Cut
    audio: Cut
    frames_per_clip: int
    crops: Literal["squash", "three"]


CLIP_SAMPLINGS = {
    # The released Seeing-and-Hearing code (v2a/video2audio.py): clips of 1 s, ceil(duration) of them.
    "seconds": ClipSampling(video=Cut(1.0, None), audio=Cut(1.0, None), frames_per_clip=2, crops="squash"),
    # ImageBind's own data.py.
    "spread": ClipSampling(video=Cut(2.0, 5), audio=Cut(2.0, 3), frames_per_clip=2, crops="three"),
    # About as long as an event: what is seen in a clip is heard in the same clip.
    "short": ClipSampling(video=Cut(0.5, None), audio=Cut(0.5, None), frames_per_clip=2, crops="squash"),
}


def clip_spans(duration: float, clip_seconds: float, count: int) -> list[Span]:
    """`count` clips whose starts lie evenly from 0 to duration - clip_seconds.

    Clips overlap where they must. In a recording shorter than one clip all start at 0 and reach beyond its end.
    Raises AlignerError if a number is not positive and finite.
    """
    for name, value in (("recording", duration), ("clip", clip_seconds)):
        if not (math.isfinite(value) and value > 0):
            raise AlignerError(f"A {name} must last longer than 0 seconds, not {value}.")
    if count < 1:
        raise AlignerError(f"A recording must give at least 1 clip, not {count}.")
    step = Fraction(max(duration - clip_seconds, 0)) / max(count - 1, 1)
    return [(k * step, k * step + Fraction(clip_seconds)) for k in range(count)]


def frame_indices(
    frame_times: Sequence[float] | torch.Tensor, spans: Sequence[Span], frames_per_clip: int
) -> torch.Tensor:
    """The frames of a video that represent each clip: (S, frames_per_clip) int64.

    frame_times: ascending times in seconds at which the frames appear. Frames with start <= time < end are taken,
    evenly spaced from the first to the last and repeated where there are too few. A clip in which no frame appears
    takes the frame that is still on screen.

    Raises AlignerError if there is no frame or the times do not ascend.
    """
    times = torch.as_tensor(frame_times, dtype=torch.float64)
    if not len(times):
        raise AlignerError("The video has no frames.")
    if not times.isfinite().all() or (times.diff() < 0).any():
        raise AlignerError("The times of a video's frames must be finite and ascend.")
    starts, ends = torch.tensor([[float(t) for t in span] for span in spans], dtype=times.dtype).unbind(1)
    firsts = torch.searchsorted(times, starts - _SAME_TIME)
    afters = torch.searchsorted(times, ends - _SAME_TIME)
    on_screen = (firsts - 1).clamp(min=0)
    firsts = torch.where(firsts < afters, firsts, on_screen)
    lasts = torch.maximum(firsts, afters - 1)
    return torch.stack(
        [
            first + torch.linspace(0, last - first, frames_per_clip).long()
            for first, last in zip(firsts.tolist(), lasts.tolist())
        ]
    )
