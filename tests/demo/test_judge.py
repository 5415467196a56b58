"""The judge classifies sounds and videos, and is saved and loaded."""

from __future__ import annotations

import pytest
import torch

from aligner.demo.family import load_demo_judge
from aligner.demo.judge import Judge, load_judge, save_judge, verdict
from aligner.errors import CheckpointError
from aligner.files.weights import save_weights
from aligner.generators.signals import Sound
from aligner.tensors.resampling import resampled
from laboratory.training.initialise import initialised
from laboratory.world import SAMPLE_RATE, clip, scene


@pytest.fixture(scope="module")
def clips():
    return [clip(scene("development", number)) for number in range(3)]


@pytest.fixture(scope="module")
def sounds(clips):
    return torch.stack([each.waveform for each in clips])


@pytest.fixture(scope="module")
def frames(clips):
    return torch.stack([each.frames for each in clips])


@pytest.fixture(scope="module")
def random_judge():
    return initialised(Judge, 0).requires_grad_(False)


@pytest.fixture(params=["hear", "watch"])
def asked(request, random_judge, sounds, frames):
    """A method of the judge, and what it classifies."""
    return getattr(random_judge, request.param), sounds if request.param == "hear" else frames


def test_verdicts_have_features_and_a_logit_for_each_event(asked):
    ask, recordings = asked
    verdict = ask(recordings)
    assert verdict.features.shape == (3, 64) and verdict.logits.shape == (3, 8)
    assert verdict.events.tolist() == [row.index(max(row)) for row in verdict.logits.tolist()]


def test_logits_are_cosines_to_the_directions(asked, random_judge):
    ask, recordings = asked
    verdict = ask(recordings)
    cosines = torch.nn.functional.cosine_similarity(verdict.features[:, None], random_judge.directions[None], dim=2)
    assert torch.allclose(verdict.logits, 12 * cosines, atol=1e-4)


def test_a_sample_does_not_depend_on_its_batch(asked):
    ask, recordings = asked
    together, alone = ask(recordings), ask(recordings[1:2])
    assert torch.allclose(together.features[1], alone.features[0], atol=1e-4)
    assert (together.features[0] - together.features[1]).abs().max() > 1e-3


@pytest.mark.parametrize("rate", [8_192, 44_100])
def test_a_sound_is_classified_at_any_rate(rate, sounds):
    waveform = resampled(sounds, SAMPLE_RATE, rate)
    heard = verdict(load_demo_judge(), Sound(waveform, rate, waveform.shape[1]))
    assert heard.names == [scene("development", number).event.name for number in range(3)]


def test_a_loaded_judge_is_frozen_and_gives_the_same_logits(tmp_path, random_judge, sounds, frames):
    save_judge(random_judge, tmp_path / "judge.safetensors")
    loaded = load_judge(tmp_path / "judge.safetensors")
    assert torch.equal(loaded.hear(sounds).logits, random_judge.hear(sounds).logits)
    assert torch.equal(loaded.watch(frames).logits, random_judge.watch(frames).logits)
    assert not loaded.training and not any(weight.requires_grad for weight in loaded.parameters())


def test_a_file_in_half_precision_is_loaded_in_full_precision(tmp_path, sounds):
    save_judge(initialised(Judge, 0).half(), tmp_path / "judge.safetensors")
    assert load_judge(tmp_path / "judge.safetensors").hear(sounds).logits.dtype == torch.float32


def test_a_file_without_a_weight_is_refused(tmp_path, random_judge):
    state = random_judge.state_dict()
    state.pop("directions")
    save_weights(tmp_path / "judge.safetensors", state, {})
    with pytest.raises(CheckpointError, match="directions"):
        load_judge(tmp_path / "judge.safetensors")
