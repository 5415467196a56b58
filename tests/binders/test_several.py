"""Several binders in one objective: each compares what it can and what it made, with its weight."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from aligner.binders.clap import load_clap
from aligner.binders.several import Several, members_of
from aligner.conditions.encoding import (
    audio_condition,
    frames_condition,
    image_condition,
    prompt_conditions,
    text_condition,
)
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.joint import JointDenoiser
from aligner.generators.signals import Frames, Sound
from aligner.guidance.gradient import Released
from aligner.guidance.objective import Comparison
from aligner.guidance.rule import Unguided
from aligner.guidance.scoring import score
from aligner.guidance.search import Search
from aligner.plan import activation_bytes, objective_of
from laboratory.random_clap import write_random_clap
from laboratory.random_models import load_random_imagebind


@pytest.fixture(scope="module")
def clap(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "clap-tiny"
    write_random_clap(folder)
    return load_clap(folder)


@pytest.fixture
def denoiser(audioldm):
    return audioldm.denoiser(seconds=0.6, steps=5)


@pytest.fixture
def sound(normal):
    return Sound(0.1 * normal(1, 9600), 16000, 9600)


@pytest.fixture
def frames():
    return Frames(torch.rand(1, 5, 3, 24, 24, generator=torch.Generator().manual_seed(1)), Fraction(8))


class Both:
    """An outcome of both streams."""

    streams, seconds, device = ("audio", "video"), Fraction(3, 5), torch.device("cpu")


class Video(Both):
    streams = ("video",)


def test_each_binder_compares_the_conditions_that_it_made(binder, clap, sound, frames):
    conditions = [text_condition(binder, "a dog barks"), text_condition(clap, "no music", -1.0)]
    several = Several({binder: 1.0, clap: 0.5})
    objective = objective_of(Both(), several, conditions, Comparison(), pair_weight=1.0)
    together = objective({"audio": sound, "video": frames})
    assert together.weights == {
        "audio ~ generated video (ImageBind)": 1.0,
        "audio ~ text (ImageBind)": 1.0,
        "audio ~ text 2 (CLAP)": -0.5,
        "video ~ text (ImageBind)": 1.0,
    }
    alone = [
        objective_of(Both(), each, [condition], Comparison(), pair_weight=0.0)({"audio": sound, "video": frames})
        for each, condition in zip((binder, clap), conditions)
    ]
    for label, other in (
        ("audio ~ text (ImageBind)", alone[0].scores["audio ~ text"]),
        ("video ~ text (ImageBind)", alone[0].scores["video ~ text"]),
        ("audio ~ text 2 (CLAP)", alone[1].scores["audio ~ text"]),
    ):
        torch.testing.assert_close(together.scores[label], other)


def test_the_loss_is_the_weighted_sum(binder, clap, sound):
    conditions = [text_condition(binder, "a dog barks"), text_condition(clap, "rain")]

    class Heard(Both):
        streams = ("audio",)

    def loss(by, given):
        return objective_of(Heard(), by, given, Comparison())({"audio": sound}).loss

    one, other = loss(binder, conditions[:1]), loss(clap, conditions[1:])
    torch.testing.assert_close(loss(Several({binder: 2.0, clap: 0.5}), conditions), 2.0 * one + 0.5 * other)


def test_one_binder_alone_needs_no_name(clap, sound):
    class Heard(Both):
        streams = ("audio",)

    objective = objective_of(Heard(), Several({clap: 1.0}), [text_condition(clap, "rain")], Comparison())
    assert list(objective({"audio": sound}).scores) == ["audio ~ text"]


def test_streams_that_a_binder_does_not_embed_are_left_to_others(clap, sound, frames):
    objective = objective_of(Both(), clap, [text_condition(clap, "rain")], Comparison())
    assert list(objective({"audio": sound, "video": frames}).scores) == ["audio ~ text"]
    with pytest.raises(AlignerError, match="CLAP embeds text, audio, but no video"):
        objective_of(Video(), clap, [text_condition(clap, "rain")], Comparison())


def test_two_streams_begin_together_whoever_compares_them(binder, sound, frames):
    twin = load_random_imagebind(seed=9)
    timed = Comparison(audio_timing_weight=0.5, video_timing_weight=0.5)
    objective = objective_of(Both(), Several({binder: 1.0, twin: 1.0}), [], timed, pair_weight=1.0)
    alignment = objective({"audio": sound, "video": frames})
    assert list(alignment.scores) == ["audio ~ generated video (ImageBind)", "audio ~ generated video (ImageBind 2)"]
    assert list(alignment.synchrony) == ["audio ~ generated video (ImageBind)"]


@pytest.mark.parametrize(
    "rule", [Search(candidates={"audio": 6}, at=0.8), Released(rates={"audio": 0.3})], ids=("search", "released")
)
def test_both_steer_a_sound(denoiser, binder, clap, rule):
    several = Several({binder: 1.0, clap: 1.0})
    conditions = [text_condition(binder, "a dog barks"), text_condition(clap, "a dog barks")]
    steered, free = (
        generate(denoiser, denoiser.prompts(["a dog"]), seed=2, rule=each, binder=several, conditions=conditions)
        for each in (rule, Unguided(comparison=rule.comparison))
    )
    assert list(steered.scores) == ["audio ~ text (ImageBind)", "audio ~ text 2 (CLAP)"]
    assert steered.score > free.score


def test_a_joint_result_is_steered_by_what_is_heard_alone(audioldm, animatediff, clap):
    video = animatediff.denoiser(frames=4, width=32, height=32, steps=3)
    denoiser = JointDenoiser([video, audioldm.denoiser(seconds=video.seconds, steps=3)])
    prompts = denoiser.prompts({"audio": ["rain"], "video": ["rain"]})
    result = generate(
        denoiser,
        prompts,
        seed=0,
        rule=Search(candidates={"audio": 2, "video": 1}),
        binder=clap,
        conditions=[text_condition(clap, "rain")],
    )
    assert list(result.scores) == ["audio ~ text"]


def test_prompts_are_read_by_all(binder, clap):
    made = prompt_conditions(Several({binder: 1.0, clap: 1.0}), {"audio": "rain"})
    assert [each.embedding.binder for each in made] == [binder.fingerprint, clap.fingerprint]
    assert all(each.prompt and each.streams == ("audio",) for each in made)


def test_what_backward_passes_keep_is_counted_for_all(denoiser, binder, clap):
    rule = Released(rates={"audio": 0.3})
    plain, one, both = (
        activation_bytes(rule, denoiser, by, 1) for by in (None, binder, Several({binder: 1.0, clap: 1.0}))
    )
    assert plain <= one < both


def test_a_condition_of_none_of_them_is_refused(binder, clap):
    other = text_condition(load_random_imagebind(seed=9), "rain")
    with pytest.raises(AlignerError, match="another binder than the ImageBind and CLAP in use"):
        objective_of(Both(), Several({binder: 1.0, clap: 1.0}), [other], Comparison())


def test_scores_compare_each_target_with_its_own_binder(binder, clap, normal):
    waveform = 0.1 * normal(1, 9600)
    scored = [audio_condition(each, waveform, 16000) for each in (binder, clap)]
    targets = [text_condition(each, "rain") for each in (binder, clap)]
    scores = score(scored, targets)
    assert list(scores.cosines) == ["audio ~ text", "audio 2 ~ text 2"]
    with pytest.raises(AlignerError, match="another binder than what is scored"):
        score(scored[:1], targets)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_weights_are_numbers_above_0(binder, clap, weight):
    with pytest.raises(AlignerError, match="The weight of CLAP must be a number above 0"):
        Several({binder: 1.0, clap: weight})


def test_what_cannot_be_combined_is_named(binder):
    with pytest.raises(AlignerError, match="at least one binder"):
        Several({})
    with pytest.raises(AlignerError, match="combined with itself"):
        Several({binder: 1.0, load_random_imagebind(seed=2): 1.0})


def test_a_binder_alone_is_its_only_member(binder):
    (member,) = members_of(binder)
    assert (member.binder, member.weight, member.name) == (binder, 1.0, "")
    assert members_of(None) == ()


def test_pictures_are_left_to_binders_that_see(binder, clap):
    picture = image_condition(binder, torch.rand(3, 16, 16))
    objective = objective_of(Both(), Several({binder: 1.0, clap: 1.0}), [picture], Comparison(), pair_weight=0.0)
    assert [pair.label for pair in objective.pairs] == ["audio ~ image (ImageBind)", "video ~ image (ImageBind)"]


def test_a_condition_whose_binder_embeds_nothing_that_it_steers_is_refused(clap):
    words = replace(text_condition(clap, "rain"), streams=("video",))
    with pytest.raises(AlignerError, match="CLAP embeds text, audio, but no video"):
        objective_of(Both(), clap, [text_condition(clap, "rain"), words], Comparison())


def test_an_unguided_joint_result_needs_no_binder_of_both(audioldm, animatediff, clap):
    video = animatediff.denoiser(frames=4, width=32, height=32, steps=2)
    denoiser = JointDenoiser([video, audioldm.denoiser(seconds=video.seconds, steps=2)])
    prompts = denoiser.prompts({"audio": ["rain"], "video": ["rain"]})
    assert not generate(denoiser, prompts, seed=0, rule=Unguided(), binder=clap).scores


def test_scores_weigh_and_name_several(binder, clap, normal):
    waveform = 0.1 * normal(1, 9600)
    scored = [audio_condition(each, waveform, 16000) for each in (binder, clap)]
    targets = [text_condition(each, "rain") for each in (binder, clap)]
    scores = score(scored, targets, binder=Several({binder: 3.0, clap: 1.0}))
    assert list(scores.cosines) == ["audio ~ text (ImageBind)", "audio 2 ~ text 2 (CLAP)"]
    first, second = (each.item() for each in scores.cosines.values())
    assert scores.overall == pytest.approx((3.0 * first + second) / 4.0)


def test_a_recording_that_two_binders_embed_begins_once(binder, frames, sound):
    twin = load_random_imagebind(seed=9)
    shown = frames.pixels[0]
    both = [frames_condition(each, shown, Fraction(8)) for each in (binder, twin)]

    class Heard(Both):
        streams = ("audio",)

    timed = Comparison(audio_timing_weight=0.5)
    alignment = objective_of(Heard(), Several({binder: 1.0, twin: 1.0}), both, timed)({"audio": sound})
    assert len(alignment.scores) == 2 and list(alignment.synchrony) == ["audio ~ video (ImageBind)"]
    alone = objective_of(Heard(), twin, both[1:], timed)({"audio": sound})
    assert list(alone.synchrony) == ["audio ~ video"]
