"""Sounds clip by clip: all together, or a few at a time, so that memory does not grow with the length."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import torch

from ..errors import AlignerError
from ..parts import in_parts
from ..tensors.checkpointing import recomputed
from ..timing.clips import Span

#: Embeds the clips of these spans of sounds (B, n): (B, S, D).
Hear = Callable[[torch.Tensor, Sequence[Span]], torch.Tensor]


def heard_in_clips(
    hear: Hear, waveform: torch.Tensor, sample_rate: int, spans: Sequence[Span], at_once: int | None
) -> torch.Tensor:
    """The embeddings of clips of sounds (B, n) at `sample_rate` Hz: (B, S, D).

    at_once: how many clips of each sound are heard together, and once more in a backward pass; None: all of them.
    """
    if at_once is None:
        return hear(waveform, spans)
    parts = [
        recomputed(hear, *_stretch(waveform, sample_rate, spans[first : first + at_once]))
        for first in in_parts(range(0, len(spans), at_once))
    ]
    return torch.cat(parts, dim=1)


def _stretch(waveform: torch.Tensor, sample_rate: int, spans: Sequence[Span]) -> tuple[torch.Tensor, list[Span]]:
    """The samples that neighbouring clips lie in, and the clips' times in them: the gradient of each is as short."""
    begin, end = int(spans[0][0] * sample_rate), math.ceil(spans[-1][1] * sample_rate)
    earlier = Fraction(begin, sample_rate)
    return waveform[:, begin:end], [(start - earlier, stop - earlier) for start, stop in spans]


def cut(waveform: torch.Tensor, sample_rate: int, spans: Sequence[Span]) -> torch.Tensor:
    """Clips of sounds (B, n), all as long as the shortest: (B, S, samples).

    A clip may reach beyond the end of the sound. Raises AlignerError for one that starts there.
    """
    samples = waveform.shape[1]
    starts = [int(start * sample_rate) for start, _ in spans]
    ends = [min(int(end * sample_rate), samples) for _, end in spans]
    length = min(end - start for start, end in zip(starts, ends))
    if length < 1:
        raise AlignerError(
            f"A clip starts where the sound has ended, after {samples / sample_rate:.3f} s. "
            "Use the spans of this sound's own duration."
        )
    return torch.stack([waveform[:, start : start + length] for start in starts], dim=1)
