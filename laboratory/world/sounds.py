"""The sound of each event, one function for each.

Pitches are multiples of 100 Hz, and all clips share one clock: a vocoder with a hop of 10 ms learns only tones whose
period fits into a hop a whole number of times.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from aligner.demo.shape import SAMPLE_RATE

from .scenes import SIREN_TURN, TICKS_PER_SECOND, Scene

#: Samples of a tick.
_HOP = SAMPLE_RATE // TICKS_PER_SECOND
#: Hz between neighbouring pitches.
_PITCH = 100


def played(scene: Scene, samples: int) -> torch.Tensor:
    """Play the scene: (samples,) float32, with its peak at the scene's loudness, over a faint hiss of the room."""
    draw = torch.Generator().manual_seed(scene.noise_seed)
    room = 10 ** (-4.2 + 0.6 * float(torch.rand(1, generator=draw, dtype=torch.float64)))
    sound = torch.zeros(samples, dtype=torch.float64)
    for begin in scene.times:
        first = round(begin * SAMPLE_RATE)
        event = _SOUNDS[scene.event.name](scene, draw)[: samples - first]
        sound[first : first + len(event)] += event
    sound = sound * (scene.loudness / sound.abs().max())
    return (sound + room * torch.randn(samples, generator=draw, dtype=torch.float64)).clamp(-1, 1).float()


def _thud(scene: Scene, draw: torch.Generator) -> torch.Tensor:
    """A low decaying tone with a click at its beginning."""
    time = _clock(scene)
    body = _tone(100 + 100 * round(scene.pitch), time) * (-time / 0.07).exp()
    click = torch.randn(len(time), generator=draw, dtype=torch.float64) * (-time / 0.006).exp()
    return _faded(body + 0.3 * click)


def _beep(scene: Scene, draw: torch.Generator) -> torch.Tensor:
    """A steady tone."""
    return _faded(_tone(_pitch(scene, 900, 1600), _clock(scene)))


def _chirp(scene: Scene, draw: torch.Generator) -> torch.Tensor:
    """A tone that rises by 100 Hz in most hops. Within a hop the pitch is constant, and at its end the phase is 0."""
    lowest = _pitch(scene, 400, 900)
    hops = round(scene.event.seconds * TICKS_PER_SECOND)
    pitch = torch.arange(hops).mul(0.7).floor().mul(_PITCH).add(lowest).repeat_interleave(_HOP)
    return _faded(torch.sin(2 * math.pi * pitch * _clock(scene)))


def _hiss(scene: Scene, draw: torch.Generator) -> torch.Tensor:
    """High noise."""
    return _swelled(_noise(scene, draw, low=2500 + 500 * scene.pitch, high=7500))


def _bell(scene: Scene, draw: torch.Generator) -> torch.Tensor:
    """Three inharmonic partials. Higher ones decay faster."""
    time, pitch = _clock(scene), _pitch(scene, 1800, 2400)
    partials = ((pitch, 1.0, 0.30), (round(pitch * 1.59, -2), 0.7, 0.20), (round(pitch * 2.72, -2), 0.5, 0.12))
    return _faded(sum(strength * _tone(hertz, time) * (-time / decay).exp() for hertz, strength, decay in partials))


def _two_tones(scene: Scene, draw: torch.Generator) -> torch.Tensor:
    """A high and a low tone by turns, in time with the lamp's colours."""
    time, low = _clock(scene), _pitch(scene, 500, 700)
    high = (time / SIREN_TURN).floor() % 2 < 1
    voices = [_harmonics(hertz, time, (1.0, 0.0, 0.5, 0.0, 0.25)) for hertz in (low + 300, low)]
    return _faded(torch.where(high, *voices))


def _crackle(scene: Scene, draw: torch.Generator) -> torch.Tensor:
    """A low roar with pops."""
    roar = _swelled(_noise(scene, draw, low=80, high=700 + 300 * scene.pitch))
    pops = torch.rand(len(roar), generator=draw, dtype=torch.float64) < 25 / SAMPLE_RATE
    decay = (-torch.arange(80, dtype=torch.float64) / 12).exp()
    ring_down = decay * torch.randn(80, generator=draw, dtype=torch.float64)
    burst = torch.nn.functional.conv1d(pops.double()[None, None], ring_down.flip(0)[None, None], padding=79)
    return roar / roar.abs().max() + 0.35 * burst[0, 0, : len(roar)]


def _horn(scene: Scene, draw: torch.Generator) -> torch.Tensor:
    """A low tone with twelve harmonics."""
    strengths = tuple(1 / number for number in range(1, 13))
    return _faded(_harmonics(_pitch(scene, 200, 300), _clock(scene), strengths))


_SOUNDS = {
    "ball": _thud,
    "square": _beep,
    "triangle": _chirp,
    "rain": _hiss,
    "star": _bell,
    "siren": _two_tones,
    "fire": _crackle,
    "ring": _horn,
}


def _clock(scene: Scene) -> torch.Tensor:
    """Seconds since the event began. It begins a whole number of hops after the clip."""
    return torch.arange(round(scene.event.seconds * SAMPLE_RATE), dtype=torch.float64) / SAMPLE_RATE


def _pitch(scene: Scene, low: int, high: int) -> int:
    """The multiple of 100 Hz from low to high that the scene's pitch selects."""
    return low + _PITCH * min(int(scene.pitch * ((high - low) // _PITCH + 1)), (high - low) // _PITCH)


def _tone(hertz: float, time: torch.Tensor) -> torch.Tensor:
    return torch.sin(2 * math.pi * hertz * time)


def _harmonics(hertz: float, time: torch.Tensor, strengths: Iterable[float]) -> torch.Tensor:
    return sum(strength * _tone(number * hertz, time) for number, strength in enumerate(strengths, start=1) if strength)


def _noise(scene: Scene, draw: torch.Generator, low: float, high: float) -> torch.Tensor:
    """Gaussian noise between two frequencies."""
    noise = torch.randn(round(scene.event.seconds * SAMPLE_RATE), generator=draw, dtype=torch.float64)
    spectrum = torch.fft.rfft(noise)
    hertz = torch.linspace(0, SAMPLE_RATE / 2, len(spectrum), dtype=torch.float64)
    return torch.fft.irfft(spectrum * ((hertz >= low) & (hertz <= high)), n=len(noise))


def _swelled(sound: torch.Tensor) -> torch.Tensor:
    """Shape the level: a quick rise and a slow fall."""
    passed = torch.linspace(0, 1, len(sound), dtype=torch.float64)
    return sound * (passed / 0.12).clamp(max=1) * ((1 - passed) / 0.35).clamp(max=1)


def _faded(sound: torch.Tensor, seconds: float = 0.01) -> torch.Tensor:
    """Fade both ends, so that they do not click."""
    count = round(seconds * SAMPLE_RATE)
    edge = torch.linspace(0, 1, count, dtype=torch.float64)
    return sound * torch.cat([edge, torch.ones(len(sound) - 2 * count, dtype=torch.float64), edge.flip(0)])
