"""Gates: the quality that models need before guidance is measured."""

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
    """Figures at the limits."""
    return {
        "zero-shot": {"sound to text": 0.95},
        "mm-diffusion": {"video": 0.9, "sound": 0.9, "agreement": 0.9, "events": 7.5},
        "reconstruction": {stream: dict.fromkeys([*NAMES, "all"], 0.95) for stream in ("sound", "video")},
        "generation": {stream: {**dict.fromkeys(NAMES, 0.0), "all": 0.85} for stream in ("audio", "video")},
        "decibel": dict.fromkeys(NAMES, 3.0),
    }


def test_figures_at_the_limits_pass(held):
    assert failures(held) == []


@pytest.mark.parametrize(
    "path, value, spelled",
    [
        (("zero-shot", "sound to text"), 0.94, "zero-shot sound to text: 0.940, at least 0.95 is needed"),
        (("mm-diffusion", "agreement"), 0.5, "mm-diffusion, agreement: 0.500, at least 0.85 is needed"),
        (("reconstruction", "sound", "rain"), 0.875, "reconstruction of sound, rain: 0.875, at least 0.95 is needed"),
        (("generation", "video", "all"), 0.84, "generation of video: 0.840, at least 0.85 is needed"),
        (("decibel", "fire"), 3.1, "level of fire: 3.1 dB apart, at most 3 is allowed"),
        (("decibel", "fire"), float("nan"), "level of fire: nan dB apart, at most 3 is allowed"),
        (("generation", "audio", "all"), float("nan"), "generation of audio: nan, at least 0.85 is needed"),
    ],
)
def test_a_figure_beyond_its_limit_is_reported(held, path, value, spelled):
    *outer, last = path
    figures = held
    for name in outer:
        figures = figures[name]
    figures[last] = value
    assert failures(held) == [spelled]


def test_timing_compares_every_sound_with_every_video(monkeypatch):
    """In two clips sounds and movements agree. In the other pairs one moment of three agrees."""
    moments = {0.0: (0.2, 1.0), 1.0: (1.0, 1.6)}
    monkeypatch.setattr(gates, "audio_onsets", lambda sound, rate: moments[sound.item()])
    monkeypatch.setattr(gates, "video_peaks", lambda video, fps: moments[video.item()])
    numbers = torch.arange(2.0)
    assert gates.timing(numbers, numbers) == {"real": 1.0, "shuffled": pytest.approx(1 / 3)}


def test_shares_are_counted_by_event():
    events = torch.arange(8).repeat(2)
    found = events.clone()
    found[0], found[9], found[1] = 3, 3, 3
    shares = gates._by_event(found, events)
    assert shares == {**dict.fromkeys(NAMES, 1.0), "ball": 0.5, "square": 0.0, "all": 13 / 16}


def test_level_differences_are_averaged_by_event(seeded):
    real = torch.randn(16, 100, generator=seeded)
    made = real.clone()
    made[2], made[10] = 2 * real[2], real[10] / 4  # 6 dB louder and 12 dB quieter
    assert gates._decibel_by_event(made, real, torch.arange(8).repeat(2)) == pytest.approx(
        {**dict.fromkeys(NAMES, 0.0), "triangle": 9.03}, abs=0.01
    )


def test_zero_shot_counts_clips_whose_event_is_the_nearest(monkeypatch):
    """Two clips of each event, each as one of eight directions. One of the sounds has a wrong direction."""
    directions, events = torch.eye(8), torch.arange(8).repeat(2)
    seen, heard = directions[events], directions[events]
    heard[0] = directions[1]

    def signal(values):
        return SimpleNamespace(embed=lambda binder, sampling: Embedding(values.unsqueeze(1), None, "any", "a binder"))

    def embed_text(texts):
        events = [NAMES.index(event.name) for text in texts for event in EVENTS if text in event.captions]
        return Embedding(directions[events].unsqueeze(1), None, "text", "a binder")

    monkeypatch.setattr(gates, "sound_of", signal)
    monkeypatch.setattr(gates, "video_of", signal)
    binder = SimpleNamespace(samplings={"spread": None}, embed_text=embed_text)
    models = SimpleNamespace(instruments=SimpleNamespace(binder=binder))
    assert zero_shot(models, heard, seen, events) == {
        "sound to text": 15 / 16,
        "video to text": 1.0,
        "sound to video": 15 / 16,
        "video to sound": 1.0,
    }


def test_reconstructions_keep_shape_and_order(trained, development):
    models = trained.models
    sounds = torch.stack([each.waveform[:12800] for each in development[:2]])
    frames = torch.stack([each.frames[5:9] for each in development[:2]])
    again = revocoded(models, sounds)
    assert again.shape == sounds.shape
    assert torch.allclose(again[1:], revocoded(models, sounds[1:]), atol=1e-4)
    drawn = redrawn(models, frames)
    assert drawn.shape == frames.shape and drawn.min() >= 0 and drawn.max() <= 1
    assert torch.allclose(drawn[1, 2:3], redrawn(models, frames[1:, 2:3])[0], atol=1e-4)
