"""Training of the vocoder of the demo's AudioLDM: log-mel spectrograms to sound."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from aligner.demo.events import EVENTS
from aligner.demo.family import MEL_FLOOR
from aligner.generators.audioldm.log_mel import HOP, log_mel

from .data import Clips, clips
from .initialise import initialised
from .keeping import Tensors, kept
from .loop import Losses, Schedule, train
from .sizes import VOCODER

CLIPS, BATCH, SEED = 4096, 16, 3
SCHEDULE = Schedule(steps=4000, rate=2e-3, average=0.998, weight_decay=0.0)
#: Mel frames of a crop.
_CROP = 48
#: Events that sound like noise. The waveform of noise cannot be predicted.
_NOISES = tuple(number for number, event in enumerate(EVENTS) if event.name in ("rain", "fire"))
#: Size and floor of each scale of the spectral loss. Below the floor, errors are inaudible and dominate logarithms.
_SCALES = ((256, 0.02), (512, 0.04), (1024, 0.08))


def trained_vocoder(vae: nn.Module, work: Path, device: str = "cpu", bf16: bool = False) -> nn.Module:
    """Train the vocoder, or load it from `work`.

    vae: about half of the spectrograms pass through it first, because the vocoder is used on spectrograms that it
    decodes.
    """
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    # The initial standard deviation of the library, 0.01, is too small.
    config = SpeechT5HifiGanConfig(**VOCODER, initializer_range=0.05)
    vocoder = initialised(lambda: SpeechT5HifiGan(config), SEED).to(device)
    data = clips("train", CLIPS, work)
    decoded = _decoded_mels(vae, data, work)

    def losses(draw: torch.Generator, passed: float) -> Losses:
        rows = torch.randint(len(data), (BATCH,), generator=draw)
        starts = _starts(data, rows, draw)
        sounds = _cut(data.sounds(rows), starts * HOP, _CROP * HOP).to(device)
        real = _cut(log_mel(data.sounds(rows), MEL_FLOOR), starts, _CROP)
        through_vae = torch.rand(BATCH, 1, 1, generator=draw) < 0.3 + 0.4 * passed
        mel = torch.where(through_vae, _cut(decoded[rows].float(), starts, _CROP), real).to(device)
        made = vocoder(mel).float()[:, : sounds.shape[1]]
        tonal = ~torch.isin(data.events[rows], torch.tensor(_NOISES)).to(device)
        return _losses(made, sounds, tonal)

    train("vocoder", vocoder, losses, SCHEDULE, work, bf16=bf16)
    return vocoder


def _losses(made: torch.Tensor, sounds: torch.Tensor, tonal: torch.Tensor) -> Losses:
    spectral = sum(_spectral(made, sounds, *scale) for scale in _SCALES)
    wave = (F.mse_loss(made, sounds, reduction="none").mean(dim=1) * tonal).mean()
    level = F.l1_loss(_level(made), _level(sounds))
    return {"loss": spectral + 20 * wave + level, "spectral": spectral, "wave": wave, "level": level}


def _spectral(made: torch.Tensor, sounds: torch.Tensor, size: int, floor: float) -> torch.Tensor:
    a, b = _magnitude(made, size), _magnitude(sounds, size)
    logs = F.l1_loss((a + floor * size**0.5).log(), (b + floor * size**0.5).log())
    return logs + F.mse_loss(a, b).sqrt() / b.square().mean().sqrt().clamp(min=0.1)


def _magnitude(sounds: torch.Tensor, size: int) -> torch.Tensor:
    spectrum = torch.stft(sounds, size, size // 4, window=_window(size, sounds.device), return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square() + 1e-8).sqrt()


def _level(sounds: torch.Tensor) -> torch.Tensor:
    """The log of the mean energy in patches of 40 ms x 500 Hz, which two noises of one level share."""
    energy = F.avg_pool2d(_magnitude(sounds, 512).square()[:, None, :256], (16, 5))
    return (energy + 0.05).log()


@lru_cache(maxsize=8)
def _window(size: int, device: torch.device) -> torch.Tensor:
    return torch.hann_window(size, device=device)


def _starts(data: Clips, rows: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """The mel frames at which crops begin, most of them around an event."""
    last = data.waveforms.shape[1] // HOP - _CROP
    offset = torch.randint(-_CROP // 2, _CROP // 3, (len(rows),), generator=draw)
    events = torch.tensor([round(data.scenes[row].times[-1] * 100) for row in rows.tolist()])
    return (events + offset).clamp(0, last)


def _cut(x: torch.Tensor, starts: torch.Tensor, length: int) -> torch.Tensor:
    return torch.stack([row[start : start + length] for row, start in zip(x, starts.tolist())])


def _decoded_mels(vae: nn.Module, data: Clips, work: Path) -> torch.Tensor:
    """The spectrograms of all clips, encoded and decoded by the VAE, (N, 200, 64) float16."""

    def decoded(rows: torch.Tensor) -> Tensors:
        mel = log_mel(data.sounds(rows).to(vae.device), MEL_FLOOR).unsqueeze(1)
        return {"mels": vae(mel).sample.squeeze(1).half().cpu()}

    return kept(work / "decoded-mels.pt", len(data), decoded)["mels"]
