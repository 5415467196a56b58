"""The onsets of a sound: how much louder it becomes, band by band."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F

from ..errors import AlignerError
from ..parts import in_parts
from ..tensors.precision import full_precision
from ..tensors.resampling import resampled
from .ticks import TICKS_PER_SECOND

#: Hz. Frequencies above half of it do not count.
_SAMPLE_RATE = 16_000
_HOP = _SAMPLE_RATE // TICKS_PER_SECOND
#: Samples: 32 ms.
_WINDOW = 512
_BANDS, _LOWEST_HERTZ = 32, 50.0
#: Decibels of full scale that count as silence.
_SILENCE = -60.0
#: Ticks over which a rise is measured.
_RISE = 3
#: Decibels, averaged over bands. Steady noise rises by less than the first. An onset of the second above that counts
#: 63 % of the strongest.
_LEAST, _STRONG = 4.0, 12.0
#: Seconds of sound that are heard together, and those around them that an onset may depend on.
_TOGETHER, _AROUND = 60, 1


def heard_onsets(waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """The onset curve of sounds (B, n), nominally in -1..1, at `sample_rate` Hz: (B, T) in 0..1, T ticks.

    It is the spectral flux (Boeck, Krebs and Schedl, ISMIR 2012): the rise in level over 30 ms, averaged over mel
    bands, where falls count as 0. Small rises count as 0, too, and large ones all nearly alike, so that a loud event
    does not hide a soft one. Differentiable.

    Raises AlignerError for another shape or integers.
    """
    if waveform.ndim != 2 or not waveform.is_floating_point():
        raise AlignerError(f"Onsets are heard in floats (B, samples), not {waveform.dtype} {tuple(waveform.shape)}.")
    decibels = _levels(resampled(full_precision(waveform), sample_rate, _SAMPLE_RATE))
    rise = (decibels[..., _RISE:] - decibels[..., :-_RISE]).clamp(min=0).mean(dim=1)
    # A rise belongs to the middle of its time.
    centred = F.pad(rise, ((_RISE + 1) // 2, _RISE // 2))
    return 1 - (-(centred - _LEAST).clamp(min=0) / _STRONG).exp()


def heard_in_a_circle(waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """The onset curve of sounds whose end meets their beginning: moved in a circle, a sound has the curve moved so."""
    count = heard_onsets(waveform[:1].detach(), sample_rate).shape[1]
    around = waveform.repeat(1, -(-_AROUND * sample_rate // waveform.shape[1]))
    before, after = around[:, -_AROUND * sample_rate :], around[:, : _AROUND * sample_rate]
    first = _AROUND * TICKS_PER_SECOND
    return heard_onsets(torch.cat([before, waveform, after], dim=1), sample_rate)[:, first : first + count]


def heard_in_parts(waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """The same in memory that does not grow with the length of the sounds."""
    seconds = -(-waveform.shape[1] // sample_rate)
    curves = []
    for first in in_parts(range(0, seconds, _TOGETHER)):
        begin = max(0, first - _AROUND)
        part = waveform[:, begin * sample_rate : (first + _TOGETHER + _AROUND) * sample_rate]
        own = slice((first - begin) * TICKS_PER_SECOND, (first - begin + _TOGETHER) * TICKS_PER_SECOND)
        curves.append(heard_onsets(part, sample_rate)[:, own])
    return torch.cat(curves, dim=1)


def _levels(waveform: torch.Tensor) -> torch.Tensor:
    """Levels of mel bands, dB of full scale: (B, n) at 16 kHz -> (B, bands, T), at least `_RISE` + 1 ticks."""
    ticks = max(waveform.shape[1] // _HOP, _RISE + 1)
    enough = F.pad(waveform, (0, max(0, ticks * _HOP - waveform.shape[1])))
    # Mirrored, so that noise does not begin where a recording does.
    padded = F.pad(enough, (_WINDOW // 2, _WINDOW // 2), mode="reflect")
    window = torch.hann_window(_WINDOW, dtype=waveform.dtype, device=waveform.device)
    spectrum = torch.stft(padded, _WINDOW, _HOP, window=window, center=False, return_complex=True)[..., :ticks]
    # A sine of full scale has this magnitude under a Hann window.
    power = (spectrum / (_WINDOW / 4)).abs().square()
    return 10 * (_filters().to(power) @ power + 10 ** (_SILENCE / 10)).log10()


@cache
def _filters() -> torch.Tensor:
    """(bands, bins)."""
    from torchaudio.functional import melscale_fbanks  # a slow import, needed only here

    return melscale_fbanks(_WINDOW // 2 + 1, _LOWEST_HERTZ, _SAMPLE_RATE / 2, _BANDS, _SAMPLE_RATE, None, "htk").T
