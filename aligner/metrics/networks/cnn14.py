"""Cnn14 of PANNs at 16 kHz: the logits of KL and ISc, and the features of FD.

Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern Recognition" (arXiv 1912.10211). The
package panns_inference downloads and writes files when it is imported, and has no weights for 16 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ...errors import AlignerError
from ...files.weights import open_weights
from .loading import loaded

SAMPLE_RATE = 16_000  # Hz
_FFT, _HOP, _MEL_BANDS = 512, 160, 64
_QUIETEST = 1e-10  # power
#: Five of the six blocks halve the time, so that shorter sounds vanish.
SHORTEST = 2**5 * _HOP  # samples


class SoundFeatures(NamedTuple):
    """embedding: (B, 2048), not negative. logits: (B, 527), of AudioSet's classes."""

    embedding: torch.Tensor
    logits: torch.Tensor


class Cnn14(nn.Module):
    """A log-mel spectrogram, six blocks of two convolutions, and the mean plus the maximum over time.

    The published checkpoint also holds the windowed Fourier kernels and the mel filters of the spectrogram.
    channels: of the blocks. classes: of the logits.
    """

    def __init__(self, channels: Sequence[int], classes: int):
        super().__init__()
        self.spectrogram_extractor = _Spectrogram()
        self.logmel_extractor = nn.ParameterDict({"melW": torch.empty(_FFT // 2 + 1, _MEL_BANDS)})
        self.bn0 = nn.BatchNorm2d(_MEL_BANDS)
        for number, (before, after) in enumerate(zip((1, *channels), channels), start=1):
            self.add_module(f"conv_block{number}", _Block(before, after))
        self.fc1 = nn.Linear(channels[-1], channels[-1])
        self.fc_audioset = nn.Linear(channels[-1], classes)

    def forward(self, waveform: torch.Tensor) -> SoundFeatures:
        """waveform: float (B, n) at 16 kHz, of at least SHORTEST samples. Raises AlignerError for a shorter one."""
        if waveform.shape[1] < SHORTEST:
            raise AlignerError(
                f"Cnn14 hears {SHORTEST / SAMPLE_RATE:.2f} s at least, but a sound lasts "
                f"{waveform.shape[1] / SAMPLE_RATE:.2f} s. Take it out of the folder."
            )
        x = self._log_mel(waveform)
        x = self.bn0(x.transpose(1, 3)).transpose(1, 3)
        for number in range(1, 7):
            x = self.get_submodule(f"conv_block{number}")(x)
            x = F.avg_pool2d(x, 2) if number < 6 else x
        x = x.mean(dim=3)
        embedding = self.fc1(x.amax(dim=2) + x.mean(dim=2)).relu()
        return SoundFeatures(embedding, self.fc_audioset(embedding))

    def _log_mel(self, waveform: torch.Tensor) -> torch.Tensor:
        """(B, n) -> (B, 1, 1 + n // 160, 64) dB."""
        padded = F.pad(waveform[:, None], (_FFT // 2, _FFT // 2), mode="reflect")
        mel = self.spectrogram_extractor(padded).transpose(1, 2)[:, None] @ self.logmel_extractor["melW"]
        return 10 * mel.clamp(min=_QUIETEST).log10()


class _Spectrogram(nn.Module):
    """The short-time Fourier transform as two convolutions, whose kernels hold the window."""

    def __init__(self):
        super().__init__()
        self.stft = nn.Module()
        for part in ("conv_real", "conv_imag"):
            self.stft.add_module(part, nn.Conv1d(1, _FFT // 2 + 1, _FFT, _HOP, bias=False))

    def forward(self, padded: torch.Tensor) -> torch.Tensor:
        """(B, 1, n) -> power (B, 257, frames)."""
        real, imaginary = (part(padded) for part in self.stft.children())
        return real.square() + imaginary.square()


class _Block(nn.Module):
    def __init__(self, before: int, after: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()


def load_cnn14(path: str | Path, device: torch.device | str = "cpu") -> Cnn14:
    """Cnn14 from a file such as Cnn14_16k_mAP=0.438.pth. Raises CheckpointError for another file."""
    with open_weights(Path(path)) as weights:
        # Their widths are the file's, so that small ones can stand in for the published one.
        blocks = [weights.shapes.get(f"conv_block{number}.conv2.weight", (1,))[0] for number in range(1, 7)]
        classes = weights.shapes.get("fc_audioset.bias", (1,))[0]
        return loaded(
            lambda: Cnn14(blocks, classes),
            weights,
            kind="PANNs' Cnn14 at 16 kHz",
            parts="layers of Cnn14",
            device=device,
        )
