"""Audio peaks of AV-Align: onset detection."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..errors import AlignerError
from ..tensors.resampling import resampled

#: Published AV-Align uses librosa's onset_detect; these are its default settings.
SAMPLE_RATE = 22_050  # Hz
_FFT, _HOP = 2048, 512  # samples
_MEL_BANDS = 128
_QUIETEST, _DYNAMIC_RANGE = 1e-10, 80.0  # lowest power; dB below the maximum

#: Peak picking, in hops of 23 ms. A peak is the maximum of the preceding 30 ms. It exceeds the mean of the surrounding
#: 100 ms on each side by 7 % of the strongest rise of the sound. No other peak follows within 30 ms.
_BEFORE = int(0.03 * SAMPLE_RATE / _HOP)
_AROUND = int(0.10 * SAMPLE_RATE / _HOP)
_WAIT = int(0.03 * SAMPLE_RATE / _HOP)
_ABOVE_MEAN = 0.07


def audio_onsets(waveform: torch.Tensor, sample_rate: int) -> list[float]:
    """Detect the onsets of a mono sound; returns their times in seconds, ascending.

    Spectral flux and peak picking follow Boeck, Krebs and Schedl (ISMIR 2012), as documented by librosa 0.11. The
    resampler differs from librosa's, so that weak onsets may differ. The threshold is relative to the strongest rise:
    digital silence has no onsets, but even quiet steady noise has some.

    waveform: float (n,). sample_rate: in Hz.
    Raises AlignerError for another shape or type, NaN or infinite values, or a sample rate below 1.
    """
    if waveform.ndim != 1 or not waveform.numel() or not waveform.is_floating_point():
        raise AlignerError(
            f"Onset detection needs floats of shape (samples,), not empty, but the sound is "
            f"{waveform.dtype} of shape {tuple(waveform.shape)}."
        )
    if sample_rate < 1:
        raise AlignerError(f"A sample rate must be at least 1 Hz, not {sample_rate}.")
    if not waveform.isfinite().all():
        raise AlignerError("The sound contains NaN or infinite values. Check its source.")
    waveform = resampled(waveform.detach().cpu()[None], sample_rate, SAMPLE_RATE)[0]
    return [hop * _HOP / SAMPLE_RATE for hop in _picked(onset_strength(waveform))]


def onset_strength(waveform: torch.Tensor) -> torch.Tensor:
    """The spectral flux of a sound (n,) at 22,050 Hz: (1 + n // 512,) dB.

    It is the rise in level from hop to hop, averaged over mel bands; falls count as 0.
    """
    decibels = _log_mel(waveform)
    rise = decibels.diff(dim=1).clamp(min=0).mean(dim=0)
    # A centred window detects an onset half a window before its middle reaches it; the delay compensates for that.
    delay = 1 + _FFT // (2 * _HOP)
    return F.pad(rise, (delay, 0))[: decibels.shape[1]]


def _log_mel(waveform: torch.Tensor) -> torch.Tensor:
    """The log-mel power spectrogram of a waveform (n,): (128, hops) dB, at most 80 dB below its maximum."""
    from torchaudio.functional import melscale_fbanks  # a slow import, needed only here

    window = torch.hann_window(_FFT, dtype=waveform.dtype)
    spectrum = torch.stft(waveform, _FFT, _HOP, window=window, center=True, pad_mode="constant", return_complex=True)
    filters = melscale_fbanks(_FFT // 2 + 1, 0.0, SAMPLE_RATE / 2, _MEL_BANDS, SAMPLE_RATE, "slaney", "slaney")
    power = filters.T.to(waveform.dtype) @ spectrum.abs().square()
    decibels = 10 * power.clamp(min=_QUIETEST).log10()
    return decibels.clamp(min=decibels.max() - _DYNAMIC_RANGE)


def _picked(strength: torch.Tensor) -> list[int]:
    """The hops of the peaks in an onset strength curve."""
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
