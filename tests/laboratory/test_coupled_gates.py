"""What the judge says of samples of MM-Diffusion."""

from types import SimpleNamespace

import pytest
import torch

from aligner.generators.mm_diffusion import MMDiffusion
from aligner.generators.signals import Frames
from laboratory.evaluation import coupled
from laboratory.evaluation.coupled import coupled_gates, limits

from ..generators.mm_diffusion.conftest import SMALL, random_network


@pytest.fixture(scope="module")
def model():
    return MMDiffusion(random_network())


def judging(seen, heard):
    """Instruments whose judge says this of videos and of sounds: names, and how close each is to its event."""

    def verdict(signal):
        names, closeness = seen if isinstance(signal, Frames) else heard
        return SimpleNamespace(names=names, closeness=torch.tensor(closeness))

    return SimpleNamespace(verdict=verdict)


def test_shares_of_what_is_recognised_and_of_pairs_of_one_event(model, monkeypatch):
    monkeypatch.setattr(coupled, "limits", lambda instruments, model: {"video": 0.5, "audio": 0.6})
    monkeypatch.setattr(coupled, "silences", lambda made: {"audio": torch.tensor([False, False, False, True])})
    instruments = judging((["a", "b", "a", "b"], [0.5, 0.4, 0.9, 0.9]), (["a", "a", "a", "b"], [0.7, 0.7, 0.5, 0.9]))
    assert coupled_gates(instruments, 4, model) == {
        "video": 0.75,
        "sound": 0.5,
        "agreement": 0.25,
        "events": pytest.approx(2.0),
    }


def test_the_limits_are_what_real_clips_reach_at_the_size_of_the_model(model, monkeypatch):
    monkeypatch.setattr(coupled, "_CLIPS", 3)
    shown = []

    def verdict(signal):
        shown.append(signal)
        return SimpleNamespace(closeness=torch.linspace(0, 1, 101))

    found = limits(SimpleNamespace(verdict=verdict), model)
    assert found == {"video": pytest.approx(0.05), "audio": pytest.approx(0.05)}
    video, sound = shown
    assert video.pixels.shape[3:] == (SMALL.side, SMALL.side) and sound.sample_rate == SMALL.sample_rate
