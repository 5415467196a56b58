"""The judge: two networks that classify sounds and videos into events. Guidance never uses them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ..files.strict_loading import fill, require_same
from ..files.weights import open_weights, save_weights
from ..generators.signals import Frames, Sound
from ..tensors.resampling import resampled
from .events import EVENTS
from .shape import FRAMES, SAMPLE_RATE

FEATURES = 64
_SCALE = 12.0
_FFT, _HOP, _BANDS = 512, 160, 64


@dataclass(frozen=True)
class Verdict:
    """The classification of a batch.

    features: (B, 64) float32, not normalised. logits: (B, 8), in the order of EVENTS.
    """

    features: torch.Tensor
    logits: torch.Tensor

    @property
    def events(self) -> torch.Tensor:
        """(B,) int64: the likeliest event."""
        return self.logits.argmax(dim=1)

    @property
    def closeness(self) -> torch.Tensor:
        """(B,) in -1..1: the cosine of the features with the direction of the likeliest event."""
        return self.logits.amax(dim=1) / _SCALE

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [EVENTS[number].name for number in self.events.tolist()]


class Judge(nn.Module):
    """Two small convolutional networks with features in one space, which has a direction for each event."""

    def __init__(self):
        super().__init__()
        self.sound = nn.Sequential(
            _Layer(nn.Conv2d, 1, 16), _Layer(nn.Conv2d, 16, 32), _Layer(nn.Conv2d, 32, 48), _Layer(nn.Conv2d, 48, 64)
        )
        self.video = nn.Sequential(
            _Layer(nn.Conv3d, 3, 16, stride=(1, 2, 2)),
            _Layer(nn.Conv3d, 16, 32),
            _Layer(nn.Conv3d, 32, 48),
            _Layer(nn.Conv3d, 48, 64, stride=(1, 2, 2)),
        )
        self.heard, self.seen = nn.Linear(128, FEATURES), nn.Linear(128, FEATURES)
        self.directions = nn.Parameter(torch.empty(len(EVENTS), FEATURES))

    def hear(self, waveforms: torch.Tensor) -> Verdict:
        """Classify sounds (B, n) in -1..1 at 16 kHz. The networks were trained on 2 s."""
        return self._verdict(self.heard(_mean_and_peak(self.sound(_bands(waveforms).unsqueeze(1)))))

    def watch(self, frames: torch.Tensor) -> Verdict:
        """Classify videos (B, F, 3, H, W) in 0..1. The networks were trained on 16 frames at 8 per second.

        A picture is passed as 16 equal frames.
        """
        pixels = F.interpolate(frames.flatten(0, 1), size=(32, 32), mode="area").unflatten(0, frames.shape[:2])
        return self._verdict(self.seen(_mean_and_peak(self.video(pixels.transpose(1, 2) * 2 - 1))))

    def _verdict(self, features: torch.Tensor) -> Verdict:
        return Verdict(features, _SCALE * F.normalize(features, dim=1) @ F.normalize(self.directions, dim=1).T)


class _Layer(nn.Module):
    """Convolution, norm and rectifier. The default stride halves the size."""

    def __init__(self, convolution: type[nn.Module], inputs: int, outputs: int, stride: int | tuple[int, ...] = 2):
        super().__init__()
        self.convolution = convolution(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.GroupNorm(8, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.norm(self.convolution(x)))


@torch.no_grad()
def verdict(judge: Judge, signal: Sound | Frames) -> Verdict:
    """Classify a finished sound, video or picture."""
    if isinstance(signal, Sound):
        return judge.hear(resampled(signal.waveform, signal.sample_rate, SAMPLE_RATE))
    pixels = signal.pixels
    return judge.watch(pixels.expand(-1, FRAMES, -1, -1, -1) if pixels.shape[1] == 1 else pixels)


def names(judge: Judge, signal: Sound | Frames) -> list[str]:
    """The name of each sample's likeliest event in a finished signal; "silence" for a silent sound."""
    named = verdict(judge, signal).names
    silent = signal.silent.tolist() if isinstance(signal, Sound) else [False] * len(named)
    return ["silence" if is_silent else name for name, is_silent in zip(named, silent)]


def save_judge(judge: Judge, path: Path) -> None:
    """Write a judge as a safetensors file. The file appears when it is complete."""
    save_weights(path, judge.state_dict(), {})


@torch.inference_mode(False)
def load_judge(path: Path) -> Judge:
    """Read a judge, frozen and in float32. Raises CheckpointError for any other file."""
    with torch.device("meta"):
        judge = Judge()
    shapes = {name: tuple(weight.shape) for name, weight in judge.state_dict().items()}
    with open_weights(path) as weights:
        require_same(weights, shapes, kind="a judge", parts="the judge's networks")
        fill(judge, {name: name for name in shapes}, weights, dtype=torch.float32, device="cpu")
    return judge.eval()


def _bands(waveforms: torch.Tensor) -> torch.Tensor:
    """(B, n) -> log energies (B, 64, frames) in bands of equal width. No generator works on this scale."""
    window = torch.hann_window(_FFT, device=waveforms.device)
    spectrum = torch.stft(waveforms, _FFT, _HOP, window=window, return_complex=True)
    energy = spectrum.real.square() + spectrum.imag.square()
    bands = F.adaptive_avg_pool1d(energy.transpose(1, 2), _BANDS).transpose(1, 2)
    return (bands + 1e-2).log() / 4


def _mean_and_peak(maps: torch.Tensor) -> torch.Tensor:
    flat = maps.flatten(2)
    return torch.cat([flat.mean(dim=2), flat.amax(dim=2)], dim=1)
