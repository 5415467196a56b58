"""The measure itself: real clips score high, shuffled ones at chance, and whoever optimises the judge is caught."""

import pytest
import torch

from aligner.demo.events import EVENTS
from aligner.timing.clips import CLIP_SAMPLINGS
from laboratory.evaluation.instruments import sound_of, video_of
from laboratory.evaluation.runs import demo_models
from laboratory.world import clip, scene

CLIPS = 64


@pytest.fixture(scope="module")
def models():
    return demo_models()


@pytest.fixture(scope="module")
def clips():
    return [clip(scene("test", number)) for number in range(CLIPS)]


@pytest.fixture(scope="module")
def sounds(clips):
    return torch.stack([each.waveform for each in clips])


@pytest.fixture(scope="module")
def frames(clips):
    return torch.stack([each.frames for each in clips])


def _measured(models, sounds, frames, clips):
    rows = models.instruments.measured(
        {"audio": sound_of(sounds)}, [each.scene.event.name for each in clips], video_of(frames)
    )
    return {
        name: sum(float(row[name]) for row in rows) / len(rows)
        for name in ("right", "cosine", "second", "matched", "optimised")
    }


@pytest.fixture(scope="module")
def real(models, sounds, frames, clips):
    return _measured(models, sounds, frames, clips)


@pytest.fixture(scope="module")
def shuffled(models, sounds, frames, clips):
    order = torch.randperm(CLIPS, generator=torch.Generator().manual_seed(0))
    return _measured(models, sounds[order], frames, clips)


def test_real_clips_score_near_one(real):
    assert real["right"] >= 0.97 and real["cosine"] >= 0.7


def test_shuffled_pairs_score_near_chance(real, shuffled):
    assert shuffled["right"] <= 1 / len(EVENTS) + 0.13
    for name in ("cosine", "second", "optimised", "matched"):
        assert shuffled[name] < 0.6 * real[name], name


def test_the_judge_names_what_it_sees_too(models, frames, clips):
    named = models.instruments.verdict(video_of(frames)).events
    assert (named == torch.tensor([EVENTS.index(each.scene.event) for each in clips])).float().mean() >= 0.97


def test_what_is_optimised_against_the_judge_is_caught_by_the_second_binder(models, real, shuffled):
    """A hum that the judge takes for any event it is told to: its accuracy is perfect, and only its."""
    clips = [clip(scene("test", number)) for number in range(16)]
    frames = video_of(torch.stack([each.frames for each in clips]))
    wanted = torch.tensor([EVENTS.index(each.scene.event) for each in clips])
    hum = 0.1 * torch.randn(16, 32000, generator=torch.Generator().manual_seed(1))
    hum.requires_grad_(True)
    optimiser = torch.optim.Adam([hum], lr=2e-3)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(models.instruments.judge.hear(hum).logits, wanted).backward()
        optimiser.step()
    rows = models.instruments.measured(
        {"audio": sound_of(hum.detach())}, [each.scene.event.name for each in clips], frames
    )
    judged, second = (sum(float(row[name]) for row in rows) / len(rows) for name in ("right", "second"))
    assert judged >= 0.9, "the attack should have worked"
    assert second < (real["second"] + shuffled["second"]) / 2


def test_silence_is_no_event(models, frames, clips):
    """The judge takes it for a square."""
    rows = models.instruments.measured(
        {"audio": sound_of(torch.zeros(CLIPS, 32000))}, [each.scene.event.name for each in clips], video_of(frames)
    )
    assert any(row["judged"] == row["event"] for row in rows), "the judge should have been fooled"
    assert all(row["silent"] for row in rows) and not any(row["right"] for row in rows)


def test_the_binders_are_not_one_and_the_same(models, sounds):
    embeddings = [
        sound_of(sounds).embed(binder, CLIP_SAMPLINGS["released"]).mean()
        for binder in (models.instruments.binder, models.instruments.second)
    ]
    assert embeddings[0].shape[1] != embeddings[1].shape[1]
