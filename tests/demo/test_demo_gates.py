"""Gates: what must hold before guidance is measured."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.demo.events import EVENTS
from laboratory.evaluation import gates
from laboratory.evaluation.gates import failures, redrawn, revocoded, zero_shot

NAMES = [event.name for event in EVENTS]


@pytest.fixture
def held():
    """Figures by which everything just holds."""
    return {
        "zero-shot": {"sound to text": 0.95},
        "reconstruction": {stream: dict.fromkeys([*NAMES, "all"], 0.95) for stream in ("sound", "video")},
        "generation": {stream: {**dict.fromkeys(NAMES, 0.0), "all": 0.85} for stream in ("audio", "video")},
        "decibel": dict.fromkeys(NAMES, 3.0),
    }


def test_nothing_fails_where_everything_holds(held):
    assert failures(held) == []


@pytest.mark.parametrize(
    "path, value, spelled",
    [
        (("zero-shot", "sound to text"), 0.94, "zero-shot sound to text: 0.940, asked 0.95"),
        (("reconstruction", "sound", "rain"), 0.875, "reconstruction of sound, rain: 0.875, asked 0.95"),
        (("generation", "video", "all"), 0.84, "generation of video: 0.840, asked 0.85"),
        (("decibel", "fire"), 3.1, "level of fire: 3.1 dB apart"),
        (("decibel", "fire"), float("nan"), "level of fire: nan dB apart"),
        (("generation", "audio", "all"), float("nan"), "generation of audio: nan, asked 0.85"),
    ],
)
def test_what_does_not_hold_is_said(held, path, value, spelled):
    *outer, last = path
    figures = held
    for name in outer:
        figures = figures[name]
    figures[last] = value
    assert failures(held) == [spelled]


def test_timing_is_that_of_every_pair(monkeypatch):
    """Two clips whose sounds and movements agree; of the other pairs, one moment of three does."""
    moments = {0.0: (0.2, 1.0), 1.0: (1.0, 1.6)}
    monkeypatch.setattr(gates, "audio_onsets", lambda sound, rate: moments[sound.item()])
    monkeypatch.setattr(gates, "video_peaks", lambda video, fps: moments[video.item()])
    numbers = torch.arange(2.0)
    assert gates.timing(numbers, numbers) == {"real": 1.0, "shuffled": pytest.approx(1 / 3)}


def test_shares_by_event():
    events = torch.arange(8).repeat(2)
    found = events.clone()
    found[0], found[9], found[1] = 3, 3, 3
    shares = gates._by_event(found, events)
    assert shares == {**dict.fromkeys(NAMES, 1.0), "ball": 0.5, "square": 0.0, "all": 13 / 16}


def test_levels_by_event(seeded):
    real = torch.randn(16, 100, generator=seeded)
    made = real.clone()
    made[2], made[10] = 2 * real[2], real[10] / 4  # 6 dB louder and 12 dB quieter
    assert gates._decibel_by_event(made, real, torch.arange(8).repeat(2)) == pytest.approx(
        {**dict.fromkeys(NAMES, 0.0), "triangle": 9.03}, abs=0.01
    )


def test_zero_shot_finds_the_nearest(monkeypatch):
    """Two clips of each event, each as one of eight directions: one of the sounds points the wrong way."""
    directions, events = torch.eye(8), torch.arange(8).repeat(2)
    seen, heard = directions[events], directions[events]
    heard[0] = directions[1]

    def signal(values):
        return SimpleNamespace(embed=lambda binder, sampling: Embedding(values.unsqueeze(1), None, "any"))

    monkeypatch.setattr(gates, "sound_of", signal)
    monkeypatch.setattr(gates, "video_of", signal)
    monkeypatch.setattr(
        gates,
        "embed_text",
        lambda binder, texts: Embedding(
            directions[
                [NAMES.index(event.name) for text in texts for event in EVENTS if text in event.captions]
            ].unsqueeze(1),
            None,
            "text",
        ),
    )
    models = SimpleNamespace(instruments=SimpleNamespace(binder=None))
    assert zero_shot(models, heard, seen, events) == {
        "sound to text": 15 / 16,
        "video to text": 1.0,
        "sound to video": 15 / 16,
        "video to sound": 1.0,
    }


def test_reconstructions_are_as_long_and_as_large_and_in_order(trained, development):
    models = trained.models
    sounds = torch.stack([each.waveform[:12800] for each in development[:2]])
    frames = torch.stack([each.frames[5:9] for each in development[:2]])
    again = revocoded(models, sounds)
    assert again.shape == sounds.shape
    assert torch.allclose(again[1:], revocoded(models, sounds[1:]), atol=1e-4)
    drawn = redrawn(models, frames)
    assert drawn.shape == frames.shape and drawn.min() >= 0 and drawn.max() <= 1
    assert torch.allclose(drawn[1, 2:3], redrawn(models, frames[1:, 2:3])[0], atol=1e-4)
