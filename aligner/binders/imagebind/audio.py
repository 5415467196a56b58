"""Waveform to the input of ImageBind's audio tower: batched, differentiable, on the waveform's device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F

from ...tensors.resampling import resampled
from ...timing.clips import Span
from ..hearing import cut
from .towers import MEL_BINS, MEL_FRAMES

SAMPLE_RATE = 16_000

#: ImageBind's statistics of log-mel values.
MEAN = -4.268
STD = 9.138

_WINDOW = 400  # 25 ms
_HOP = 160  # 10 ms
_FFT = 512
_LOWEST_HZ = 20.0
_PREEMPHASIS = 0.97
_FLOOR = torch.finfo(torch.float32).eps


def audio_input(waveform: torch.Tensor, sample_rate: int, spans: Sequence[Span]) -> torch.Tensor:
    """Mono sound (B, n), nominally -1..1, cut into clips -> normalised log-mel (B, S, 1, 128, 204).

    Every clip loses its mean; what it lacks of 204 frames (2.055 s) is filled with zeros before normalising,
    as upstream. A clip may reach beyond the end of the sound, but one that starts there raises AlignerError.
    """
    waveform = resampled(waveform, sample_rate, SAMPLE_RATE)
    clips = cut(waveform, SAMPLE_RATE, spans)
    clips = clips - clips.mean(dim=-1, keepdim=True)
    mel = fbank(clips.flatten(0, 1))[..., :MEL_FRAMES]
    mel = F.pad(mel, (0, MEL_FRAMES - mel.shape[-1]))
    return ((mel - MEAN) / STD).unflatten(0, clips.shape[:2]).unsqueeze(2)


def fbank(waveform: torch.Tensor) -> torch.Tensor:
    """Log-mel energies of 16 kHz sound as Kaldi computes them: (B, n) -> (B, 128, frames).

    25 ms Hann windows every 10 ms, 128 bins from 20 Hz to 8 kHz, no dither, no energy bin, HTK-compatible: as
    torchaudio.compliance.kaldi.fbank of each waveform alone, but batched. A window without energy has the
    value log(1.19e-7) and the gradient 0. Sound shorter than one window is filled up with zeros.
    """
    waveform = F.pad(waveform, (0, max(_WINDOW - waveform.shape[-1], 0)))
    window, mel_filters = _constants(waveform.device, waveform.dtype)
    frames = waveform.unfold(-1, _WINDOW, _HOP)
    frames = frames - frames.mean(dim=-1, keepdim=True)
    # The sample before a window is taken to equal the window's first one.
    previous = F.pad(frames, (1, 0), mode="replicate")[..., :-1]
    spectrum = torch.fft.rfft((frames - _PREEMPHASIS * previous) * window, n=_FFT)
    # Not abs().square(): the modulus has no gradient at 0, which digital silence hits exactly.
    power = spectrum.real.square() + spectrum.imag.square()
    return (power @ mel_filters).clamp(min=_FLOOR).log().transpose(1, 2)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # a tensor cached from inference mode could never take part in a backward pass
def _constants(device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """The window (400) and the mel filters (257, 128)."""
    window = torch.hann_window(_WINDOW, periodic=False, dtype=dtype, device=device)
    return window, _mel_filters().to(dtype).to(device)


def _mel_filters() -> torch.Tensor:
    """(257, 128): triangles of height 1, straight and evenly spaced on the mel scale 1127 ln(1 + f / 700).

    Kaldi leaves out the bin at half the sample rate; the last triangle ends there, which comes to the same.
    """
    lowest, highest = (1127.0 * math.log1p(hertz / 700.0) for hertz in (_LOWEST_HZ, SAMPLE_RATE / 2))
    edges = torch.linspace(lowest, highest, MEL_BINS + 2, dtype=torch.float64)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    hertz = torch.arange(_FFT // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / _FFT
    mel = (1127.0 * torch.log1p(hertz / 700.0)).unsqueeze(1)
    return torch.minimum((mel - left) / (centre - left), (right - mel) / (right - centre)).clamp(min=0)
