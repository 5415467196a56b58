"""The log-mel spectrograms that AudioLDM works on: those of HiFi-GAN at 16 kHz."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F

from ...parts import in_parts

BINS, FFT, HOP, SAMPLE_RATE = 64, 1024, 160, 16000

#: Frames of a long sound that are computed together.
_FRAMES_AT_ONCE = 2**12

#: Magnitudes below it count as silence, as in AudioLDM's training.
FLOOR = 1e-5


def log_mel(waveform: torch.Tensor, floor: float = FLOOR) -> torch.Tensor:
    """(B, n) in -1..1, n a multiple of 160 -> (B, n / 160, 64), from log(floor) to about 2. Differentiable.

    Magnitudes of 1024 samples every 160, on Slaney's mel scale from 0 to 8 kHz (HiFi-GAN, arXiv 2010.05646). The sound
    is padded with its mirror image at both ends.
    """
    window, filters = _constants(waveform.device)
    padded = F.pad(waveform.unsqueeze(1), ((FFT - HOP) // 2,) * 2, mode="reflect").squeeze(1)
    reach = (_FRAMES_AT_ONCE - 1) * HOP + FFT
    parts = []
    for start in in_parts(range(0, waveform.shape[1], _FRAMES_AT_ONCE * HOP)):
        spectrum = torch.stft(
            padded[:, start : start + reach], FFT, HOP, FFT, window, center=False, return_complex=True
        )
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
        with torch.autocast(waveform.device.type, enabled=False):  # bfloat16 has steps of 0.03 at the demo's floor
            parts.append((magnitude.transpose(1, 2) @ filters).clamp(min=floor).log())
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


@lru_cache(maxsize=4)
@torch.inference_mode(False)  # a tensor cached from inference mode could never take part in a backward pass
def _constants(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    from torchaudio.functional import melscale_fbanks

    filters = melscale_fbanks(FFT // 2 + 1, 0.0, SAMPLE_RATE / 2, BINS, SAMPLE_RATE, norm="slaney", mel_scale="slaney")
    return torch.hann_window(FFT).to(device), filters.to(device)
