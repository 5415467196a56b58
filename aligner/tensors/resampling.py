"""Sound from one sample rate to another."""

from __future__ import annotations

from fractions import Fraction

import torch

from .precision import full_precision


def resampled(waveform: torch.Tensor, sample_rate: int, target: int) -> torch.Tensor:
    """(B, n) at `sample_rate` Hz -> (B, m) at `target` Hz and at least float32, differentiable."""
    waveform = full_precision(waveform)
    if sample_rate == target:
        return waveform
    from torchaudio.functional import (
        resample,  # imports much; sound that is right already does without
    )

    # Exact for all usual rates. An odd one, like 47,999 Hz, would need gigabytes of filters: there the pitch
    # may be off by a millionth.
    ratio = Fraction(sample_rate, target).limit_denominator(1000)
    return resample(waveform, ratio.numerator, ratio.denominator)
