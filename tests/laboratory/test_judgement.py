"""The measure itself: real clips score high, shuffled ones at chance, and optimising the judge is detected."""

import pytest
import torch

from aligner.demo.events import EVENTS
from aligner.timing.clips import CLIP_SAMPLINGS
from laboratory.evaluation.instruments import sound_of, video_of
from laboratory.evaluation.runs import demo_models
from laboratory.world import clip, scene

CLIPS = 32


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


def test_the_judge_classifies_real_videos(models, frames, clips):
    named = models.instruments.verdict(video_of(frames)).events
    assert (named == torch.tensor([EVENTS.index(each.scene.event) for each in clips])).float().mean() >= 0.97


def test_the_second_binder_detects_sounds_optimised_against_the_judge(models, real, shuffled):
    """Noise that is optimised until the judge names the wanted event. The second binder is not deceived."""
    clips = [clip(scene("test", number)) for number in range(16)]
    frames = video_of(torch.stack([each.frames for each in clips]))
    wanted = torch.tensor([EVENTS.index(each.scene.event) for each in clips])
    noise = 0.1 * torch.randn(16, 32000, generator=torch.Generator().manual_seed(1))
    noise.requires_grad_(True)
    optimiser = torch.optim.Adam([noise], lr=2e-3)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(models.instruments.judge.hear(noise).logits, wanted).backward()
        optimiser.step()
    rows = models.instruments.measured(
        {"audio": sound_of(noise.detach())}, [each.scene.event.name for each in clips], frames
    )
    judged, second = (sum(float(row[name]) for row in rows) / len(rows) for name in ("right", "second"))
    assert judged >= 0.9, "the optimisation should have deceived the judge"
    assert second < (real["second"] + shuffled["second"]) / 2


def test_a_silent_result_is_never_right(models, frames, clips):
    """The judge classifies silence as a square."""
    rows = models.instruments.measured(
        {"audio": sound_of(torch.zeros(CLIPS, 32000))}, [each.scene.event.name for each in clips], video_of(frames)
    )
    assert any(row["judged"] == row["event"] for row in rows), "the judge should have named the event of some clip"
    assert all(row["silent"] for row in rows) and not any(row["right"] for row in rows)


def test_the_two_binders_embed_in_different_spaces(models, sounds):
    embeddings = [
        sound_of(sounds).embed(binder, CLIP_SAMPLINGS["seconds"]).mean()
        for binder in (models.instruments.binder, models.instruments.second)
    ]
    assert embeddings[0].shape[1] != embeddings[1].shape[1]
