"""Resampling of waveforms."""

from __future__ import annotations

import math
from fractions import Fraction

import torch

from ..parts import in_parts
from .precision import full_precision

#: Samples of a long sound that are resampled together, and how far the filter reaches in samples of the lower rate.
_AT_ONCE, _FILTER = 2**21, 16


def resampled(waveform: torch.Tensor, sample_rate: int, target: int) -> torch.Tensor:
    """Resample waveforms (B, n) from `sample_rate` to `target` Hz: (B, m), at least float32. Differentiable."""
    waveform = full_precision(waveform)
    if sample_rate == target:
        return waveform
    from torchaudio.functional import resample  # a slow import, needed only here

    # Exact for all common rates. An odd rate such as 47,999 Hz would need gigabytes of filters; the limit changes its
    # pitch by about a millionth instead.
    ratio = Fraction(sample_rate, target).limit_denominator(1000)
    pieces = [
        resample(piece, ratio.numerator, ratio.denominator)[:, first:last]
        for piece, first, last in in_parts(_pieces(waveform, ratio))
    ]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)


def _pieces(waveform: torch.Tensor, ratio: Fraction) -> list[tuple[torch.Tensor, int, int | None]]:
    """Pieces of a long sound that overlap by more than the filter, and which samples of each result count.

    ratio: samples in for samples out. Every piece begins where a sample falls on one of the result.
    """
    step, length = ratio.numerator, waveform.shape[1]
    size = max(1, _AT_ONCE // step) * step
    margin = -(-_FILTER * max(1, math.ceil(ratio)) // step) * step
    pieces: list[tuple[torch.Tensor, int, int | None]] = []
    for start in range(0, length, size):
        begin, end = max(0, start - margin), start + size
        first = int((start - begin) / ratio)
        last = first + int(size / ratio) if end < length else None
        pieces.append((waveform[:, begin : end + margin], first, last))
    return pieces
