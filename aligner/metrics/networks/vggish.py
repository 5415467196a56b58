"""VGGish: the features of FAD.

Hershey et al., "CNN Architectures for Large-Scale Audio Classification" (arXiv 1609.09430). Tables of generated sound
use it without its last activation and without the principal components that follow in AudioSet, as audioldm_eval does.
The package torch_vggish_yamnet adds 0.001 within the logarithm, but VGGish was trained with 0.01.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from ...errors import AlignerError
from ...files.weights import open_weights
from .loading import loaded

SAMPLE_RATE = 16_000  # Hz
#: A frame of 25 ms every 10 ms, and the frames and mel bands of an example.
_FRAME, _HOP, _FFT = 400, 160, 512
_FRAMES, _MEL_BANDS = 96, 64
_LOWEST, _HIGHEST = 125.0, 7500.0  # Hz
_LOG_OFFSET = 0.01
#: Samples of an example, and so of the shortest sound.
SHORTEST = _FRAME + (_FRAMES - 1) * _HOP
#: The places of the convolutions among the layers, with a pooling after each group.
_CONVOLUTIONS = ((0,), (3,), (6, 8), (11, 13))


class VGGish(nn.Module):
    """Convolutions in four groups and three linear layers, for each example of 0.96 s.

    channels: of the six convolutions. widths: of the linear layers.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int]):
        super().__init__()
        layers: list[nn.Module] = []
        places = [place for group in _CONVOLUTIONS for place in group]
        wide = dict(zip(places, zip((1, *channels), channels)))
        for group in _CONVOLUTIONS:
            for place in group:
                layers += [nn.Conv2d(*wide[place], 3, padding=1), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        flat = channels[-1] * (_FRAMES // 16) * (_MEL_BANDS // 16)
        first, second, third = (nn.Linear(*pair) for pair in zip((flat, *widths), widths))
        self.embeddings = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """The features of a sound's examples, one after the other: (E, 128).

        waveform: float (n,) at 16 kHz. Raises AlignerError for one of less than 0.975 s.
        """
        if len(waveform) < SHORTEST:
            raise AlignerError(
                f"VGGish hears {SHORTEST / SAMPLE_RATE:.3f} s at least, but a sound lasts "
                f"{len(waveform) / SAMPLE_RATE:.2f} s. Take it out of the folder."
            )
        # The linear layers were trained where channels come last.
        x = self.features(self._examples(waveform)[:, None]).permute(0, 2, 3, 1)
        return self.embeddings(x.flatten(1))

    def _examples(self, waveform: torch.Tensor) -> torch.Tensor:
        """The log-mel spectrogram of a sound (n,), cut without overlap: (E, 96, 64)."""
        frames = waveform.unfold(0, _FRAME, _HOP) * torch.hann_window(_FRAME, device=waveform.device)
        spectrum = torch.fft.rfft(frames, _FFT).abs()
        log_mel = (spectrum @ _mel_filters().to(waveform.device) + _LOG_OFFSET).log()
        return log_mel.unfold(0, _FRAMES, _FRAMES).transpose(1, 2)


def _mel_filters() -> torch.Tensor:
    """Triangles on the mel scale, where torchaudio has them on that of Hertz: (257, 64)."""
    bins = _mel(torch.linspace(0, SAMPLE_RATE / 2, _FFT // 2 + 1, dtype=torch.float64))
    low, high = _mel(torch.tensor([_LOWEST, _HIGHEST], dtype=torch.float64)).tolist()
    edges = torch.linspace(low, high, _MEL_BANDS + 2, dtype=torch.float64)
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0)
    filters[0] = 0  # the constant part of a sound
    return filters.float()


def _mel(hertz: torch.Tensor) -> torch.Tensor:
    return 1127 * (1 + hertz / 700).log()


def load_vggish(path: str | Path, device: torch.device | str = "cpu") -> VGGish:
    """VGGish from a file such as vggish-10086976.pth. Raises CheckpointError for another file."""
    with open_weights(Path(path)) as weights:
        # Their widths are the file's, so that small ones can stand in for the published one.
        channels = [_width(weights.shapes, f"features.{place}") for group in _CONVOLUTIONS for place in group]
        widths = [_width(weights.shapes, f"embeddings.{place}") for place in (0, 2, 4)]
        return loaded(
            lambda: VGGish(channels, widths),
            weights,
            kind="VGGish",
            parts="layers of VGGish",
            device=device,
        )


def _width(shapes, layer: str) -> int:
    return shapes.get(f"{layer}.bias", (1,))[0]
