"""Audio peaks of AV-Align: the moments at which a sound sets in."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..errors import AlignerError
from ..tensors.resampling import resampled

#: Published AV-Align hears what librosa's onset_detect hears with its defaults; these are its numbers.
SAMPLE_RATE = 22_050
_FFT, _HOP = 2048, 512
_MEL_BANDS = 128
_QUIETEST, _DYNAMIC_RANGE = 1e-10, 80.0  # power; dB below the loudest

#: Peak picking, in hops of 23 ms: 30 ms before a peak nothing is stronger, it rises above the mean of 100 ms before and
#: after by a part of the strongest of the whole sound, and 30 ms after it there is no other.
_BEFORE = int(0.03 * SAMPLE_RATE / _HOP)
_AROUND = int(0.10 * SAMPLE_RATE / _HOP)
_WAIT = int(0.03 * SAMPLE_RATE / _HOP)
_ABOVE_MEAN = 0.07


def audio_onsets(waveform: torch.Tensor, sample_rate: int) -> list[float]:
    """The onsets of a mono sound (n,), in seconds, ascending.

    Spectral flux and peak picking follow Boeck, Krebs and Schedl (ISMIR 2012) as librosa 0.11 documents them. The
    resampler is another one, so that a weak onset may be found by one of the two alone. The threshold is relative:
    digital silence has no onsets, but steady noise, however quiet, has its own.

    Raises AlignerError unless the sound is finite floats.
    """
    if waveform.ndim != 1 or not waveform.numel() or not waveform.is_floating_point():
        raise AlignerError(
            f"A sound to find onsets in must be floats of shape (samples,) and not empty, but is "
            f"{waveform.dtype} of shape {tuple(waveform.shape)}."
        )
    if sample_rate < 1:
        raise AlignerError(f"A sample rate must be at least 1 Hz, not {sample_rate}.")
    if not waveform.isfinite().all():
        raise AlignerError("The sound contains NaN or infinite values. Check what made it.")
    waveform = resampled(waveform.detach().cpu()[None], sample_rate, SAMPLE_RATE)[0]
    return [hop * _HOP / SAMPLE_RATE for hop in _picked(onset_strength(waveform))]


def onset_strength(waveform: torch.Tensor) -> torch.Tensor:
    """How much louder a sound of 22,050 Hz, (n,), becomes from hop to hop: (1 + n // 512,) dB, mean over mel bands."""
    decibels = _log_mel(waveform)
    rise = decibels.diff(dim=1).clamp(min=0).mean(dim=0)
    # A window hears what comes before its middle is reached, as many hops as half of it lasts.
    delay = 1 + _FFT // (2 * _HOP)
    return F.pad(rise, (delay, 0))[: decibels.shape[1]]


def _log_mel(waveform: torch.Tensor) -> torch.Tensor:
    """(n,) -> (128, hops) dB."""
    from torchaudio.functional import melscale_fbanks  # imports much

    window = torch.hann_window(_FFT, dtype=waveform.dtype)
    spectrum = torch.stft(waveform, _FFT, _HOP, window=window, center=True, pad_mode="constant", return_complex=True)
    filters = melscale_fbanks(_FFT // 2 + 1, 0.0, SAMPLE_RATE / 2, _MEL_BANDS, SAMPLE_RATE, "slaney", "slaney")
    power = filters.T.to(waveform.dtype) @ spectrum.abs().square()
    decibels = 10 * power.clamp(min=_QUIETEST).log10()
    return decibels.clamp(min=decibels.max() - _DYNAMIC_RANGE)


def _picked(strength: torch.Tensor) -> list[int]:
    """The hops at which a sound sets in."""
    strength = strength - strength.min()
    if not strength.any():
        return []
    curve = (strength / strength.max()).tolist()
    peaks: list[int] = []
    for hop, value in enumerate(curve):
        before = curve[max(hop - _BEFORE, 0) : hop]
        around = curve[max(hop - _AROUND, 0) : hop + _AROUND + 1]
        waited = not peaks or hop - peaks[-1] > _WAIT
        if waited and value >= max(before, default=0) and value >= sum(around) / len(around) + _ABOVE_MEAN:
            peaks.append(hop)
    return peaks
