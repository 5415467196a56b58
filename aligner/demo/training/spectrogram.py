"""The log-mel spectrograms that the demo's AudioLDM works on: HiFi-GAN's, with a floor that hides the room's hiss."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F

BINS, FFT, HOP, SAMPLE_RATE = 64, 1024, 160, 16000
#: Magnitudes below it all count as silence: 50 dB under a full tone. Without it a quarter of the range would be hiss.
FLOOR = 0.01


def log_mel(waveform: torch.Tensor) -> torch.Tensor:
    """(B, n) in -1..1, n a multiple of 160 -> (B, n / 160, 64), from log(0.01) = -4.6 to about 2. Differentiable."""
    window, filters = _constants(waveform.device)
    padded = F.pad(waveform.unsqueeze(1), ((FFT - HOP) // 2,) * 2, mode="reflect").squeeze(1)
    spectrum = torch.stft(padded, FFT, HOP, FFT, window, center=False, return_complex=True)
    magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
    with torch.autocast(waveform.device.type, enabled=False):  # bfloat16 has steps of 0.03 at the floor
        return (magnitude.transpose(1, 2) @ filters).clamp(min=FLOOR).log()


@lru_cache(maxsize=4)
def _constants(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    from torchaudio.functional import melscale_fbanks

    filters = melscale_fbanks(FFT // 2 + 1, 0.0, SAMPLE_RATE / 2, BINS, SAMPLE_RATE, norm="slaney", mel_scale="slaney")
    return torch.hann_window(FFT).to(device), filters.to(device)
