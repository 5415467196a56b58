"""Resampling of waveforms."""

from __future__ import annotations

from fractions import Fraction

import torch

from .precision import full_precision


def resampled(waveform: torch.Tensor, sample_rate: int, target: int) -> torch.Tensor:
    """Resample waveforms (B, n) from `sample_rate` to `target` Hz: (B, m), at least float32. Differentiable."""
    waveform = full_precision(waveform)
    if sample_rate == target:
        return waveform
    from torchaudio.functional import resample  # a slow import, needed only here

    # Exact for all common rates. An odd rate such as 47,999 Hz would need gigabytes of filters; the limit changes its
    # pitch by about a millionth instead.
    ratio = Fraction(sample_rate, target).limit_denominator(1000)
    return resample(waveform, ratio.numerator, ratio.denominator)
