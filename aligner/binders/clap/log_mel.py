"""Waveforms as CLAP takes them: differentiable log-mel, equal to the feature extractor of transformers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ...errors import CheckpointError

#: Powers below it count as silence.
_FLOOR = 1e-10
#: How sounds shorter than the model's own length are filled up: repeated as often as they fit whole, and then silence;
#: repeated and cut; silence alone.
_PADDINGS = ("repeatpad", "repeat", "pad")


@dataclass(frozen=True)
class Windows:
    """The windows of a spectrogram, and how a sound fills them.

    fft, hop: samples of a window, and from one to the next. samples: of a whole sound. padding: one of `_PADDINGS`.
    copies: how many equal spectrograms the network takes; 4 where it fuses them.
    """

    fft: int
    hop: int
    samples: int
    padding: str
    copies: int

    def __post_init__(self):
        if self.padding not in _PADDINGS:
            raise CheckpointError(
                f"The feature extractor of CLAP pads by {self.padding!r}, which is none of {', '.join(_PADDINGS)}. "
                "Download the model again."
            )


class LogMel:
    """Mono sounds (N, n), n at most `windows.samples` -> (N, copies, frames, bins) in dB, at least float32.

    extractor: the feature extractor of transformers, which knows the windows and the filters.
    """

    def __init__(self, extractor: Any):
        fuses = extractor.truncation == "fusion"
        self.windows = Windows(
            extractor.fft_window_size,
            extractor.hop_length,
            extractor.nb_max_samples,
            extractor.padding,
            copies=4 if fuses else 1,
        )
        filters = extractor.mel_filters if fuses else extractor.mel_filters_slaney
        # No buffers of a network, which are cast to its precision.
        self.filters = torch.from_numpy(filters)
        self.window = torch.hann_window(self.windows.fft, dtype=torch.float64)

    def __call__(self, waveform: torch.Tensor) -> torch.Tensor:
        windows, filters, window = self.windows, self.filters.to(waveform), self.window.to(waveform)
        whole = _filled(waveform, windows)
        spectrum = torch.stft(whole, windows.fft, windows.hop, windows.fft, window, return_complex=True)
        # Not abs().square(): the modulus has no gradient at 0, which digital silence hits exactly.
        power = spectrum.real.square() + spectrum.imag.square()
        decibels = 10 * (power.transpose(1, 2) @ filters).clamp(min=_FLOOR).log10()
        return decibels.unsqueeze(1).expand(-1, windows.copies, -1, -1)


def _filled(waveform: torch.Tensor, windows: Windows) -> torch.Tensor:
    """(N, n) -> (N, samples)."""
    fitting, length = windows.samples // waveform.shape[1], windows.samples
    times = {"repeatpad": fitting, "repeat": fitting + 1, "pad": 1}[windows.padding]
    repeated = waveform.repeat(1, times)[:, :length]
    return F.pad(repeated, (0, length - repeated.shape[1]))
