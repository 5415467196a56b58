"""Generators stepped side by side: joint video and sound, and what else follows from one loop for all."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from aligner.conditions.condition import Condition
from aligner.conditions.encoding import text_condition
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.joint import JointDenoiser
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.rule import Unguided
from tests.guidance.reference import joint_released_rule

SIDE, FRAMES, FPS = 64, 8, 4
PAIRS = ["video ~ generated audio", "video ~ text", "audio ~ text"]


def _together(animatediff, audioldm, video_steps=6, audio_steps=6, side=SIDE, frames=FRAMES, fps=FPS):
    video = animatediff.denoiser(frames=frames, fps=fps, height=side, width=side, steps=video_steps)
    return JointDenoiser([video, audioldm.denoiser(seconds=video.seconds, steps=audio_steps)])


@pytest.fixture
def denoiser(animatediff, audioldm):
    return _together(animatediff, audioldm)


@pytest.fixture
def prompts(denoiser):
    return denoiser.prompts(["a dog barks"])


def _generated(denoiser, binder, conditions, rule, seed=0, prompts=None, **arguments):
    prompts = prompts or denoiser.prompts(["a dog barks"])
    return generate(denoiser, prompts, seed=seed, binder=binder, conditions=conditions, rule=rule, **arguments)


def _released(**settings):
    """Without prompt tuning unless a test asks for it, and without checkpointing, which only takes longer."""
    return Released(**{"prompt_rates": {}, "checkpointing": False} | settings)


# --- side by side ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("video_steps, audio_steps", [(4, 4), (3, 7), (7, 3), (1, 5), (5, 6)])
def test_unguided_streams_are_what_each_generator_makes_alone(animatediff, audioldm, video_steps, audio_steps):
    together = _together(animatediff, audioldm, video_steps, audio_steps)
    prompts = together.prompts({"video": ["a dog"], "audio": ["a cat, in a very long sentence " * 30]})
    joint = generate(together, prompts, seed=7, rule=Unguided())
    for denoiser in together.denoisers:
        (stream,) = denoiser.streams
        alone = generate(denoiser, {stream: prompts[stream]}, seed=7, rule=Unguided())
        assert torch.equal(joint.latents[stream], alone.latents[stream])
    assert joint.signals["audio"].seconds == joint.signals["video"].seconds == 2


@pytest.mark.parametrize("steps", [(25, 30), (30, 25), (2, 9), (8, 8), (1, 1)])
def test_every_step_of_every_stream_is_taken_once_and_in_order(animatediff, audioldm, steps):
    together, taken = _together(animatediff, audioldm, *steps), {"video": [], "audio": []}
    for index in range(together.steps):
        turns = list(together._turns(index))
        assert turns and together.active_streams(index) == tuple(denoiser.streams[0] for denoiser, _ in turns)
        for denoiser, own in turns:
            taken[denoiser.streams[0]].append(own)
    assert taken == {"video": list(range(steps[0])), "audio": list(range(steps[1]))}


def test_a_resting_stream_keeps_its_latent_and_its_estimate(animatediff, audioldm, binder, text_condition):
    together, steps = _together(animatediff, audioldm, video_steps=2, audio_steps=6), []
    rule = _released(start=0.0)
    result = _generated(together, binder, [text_condition], rule, on_step=steps.append)
    estimates = [step.clean["video"] for step in steps]
    same = [torch.equal(before, after) for before, after in zip(estimates, estimates[1:])]
    assert same == [True, True, False, True, True]
    assert all(list(step.alignment.scores) == PAIRS for step in steps)
    assert all(len(curve) == 6 for curve in result.curves.values())


def test_two_generators_of_one_stream_are_refused(audioldm):
    denoiser = audioldm.denoiser(seconds=1, steps=2)
    with pytest.raises(AlignerError, match="Two generators of one stream"):
        JointDenoiser([denoiser, denoiser])


def test_results_of_different_lengths_are_refused(animatediff, audioldm):
    video = animatediff.denoiser(frames=8, fps=4, height=SIDE, width=SIDE, steps=2)
    with pytest.raises(AlignerError, match="equally long, but there are video 2 s, audio 1.5 s"):
        JointDenoiser([video, audioldm.denoiser(seconds=1.5, steps=2)])


def test_a_sound_may_be_rounded_to_a_sample(animatediff, audioldm):
    together = _together(animatediff, audioldm, fps=Fraction(24000, 1001))
    video, sound = (denoiser.seconds for denoiser in together.denoisers)
    assert 0 < abs(video - sound) < 1e-4 and together.seconds == max(video, sound)


# --- the triangle ---------------------------------------------------------------------------------------------------


def test_the_loop_equals_algorithm_1_written_out(exact_animatediff, exact_audioldm, exact_binder):
    """At 224 pixels a side, where the reference need not squash."""
    together = _together(exact_animatediff, exact_audioldm, 5, 5, side=224, frames=4, fps=2)
    prompts, condition = together.prompts(["a dog barks"]), text_condition(exact_binder, "a dog barks")
    rule = _released(rates={"video": 0.02, "audio": 0.1}, prompt_rates={"video": 0.02}, start=0.4)
    start = together.start([torch.Generator().manual_seed(5)])
    z, y = joint_released_rule(
        exact_animatediff,
        exact_audioldm,
        exact_binder,
        start,
        prompts,
        {denoiser.streams[0]: denoiser.negative for denoiser in together.denoisers},
        condition.embedding.clips[:, 0],
        steps=5,
        seconds=2,
        shown=[(0, 1), (2, 3)],
        lr=rule.rates,
        prompt_lr=0.02,
        first=3,
    )
    result = _generated(together, exact_binder, [condition], rule, seed=5, prompts=prompts)
    for stream in ("video", "audio"):
        torch.testing.assert_close(result.latents[stream], z[stream], atol=1e-6, rtol=0)
    torch.testing.assert_close(result.prompts["video"], y["video"], atol=1e-6, rtol=0)
    assert (y["video"] - prompts["video"]).abs().max() > 0.01
    assert torch.equal(result.prompts["audio"], prompts["audio"])


@pytest.mark.parametrize("steps", [(6, 6), (5, 8)])
def test_joint_guidance_raises_every_pair_of_the_triangle(animatediff, audioldm, binder, text_condition, steps):
    together = _together(animatediff, audioldm, *steps)
    rule = _released(rates={"video": 0.05, "audio": 0.1}, prompt_rates={"video": 0.02})
    unguided, guided = (_generated(together, binder, [text_condition], each, batch=4) for each in (Unguided(), rule))
    assert list(guided.scores) == PAIRS
    for pair in PAIRS:
        assert (guided.scores[pair] > unguided.scores[pair]).all(), pair


def test_one_text_per_stream(denoiser, binder):
    texts = [
        replace(text_condition(binder, text), streams=(stream,))
        for text, stream in (("a dog", "video"), ("rain on a roof", "audio"))
    ]
    assert list(_generated(denoiser, binder, texts, _released()).scores) == [PAIRS[0], "video ~ text", "audio ~ text 2"]


def test_a_condition_for_a_stream_that_is_not_generated_is_an_error(audioldm, binder, text_condition):
    denoiser = audioldm.denoiser(seconds=1, steps=2)
    with pytest.raises(AlignerError, match="'text' steers video, but audio is generated"):
        _generated(denoiser, binder, [replace(text_condition, streams=("video",))], _released())


def test_without_text_the_streams_follow_each_other(denoiser, binder, text_condition):
    off = Condition(text_condition.embedding, 0.0)
    for conditions in ([], [off]):
        assert list(_generated(denoiser, binder, conditions, _released()).scores) == PAIRS[:1]


@pytest.mark.parametrize("rule, rate", [(Released, 0.05), (Paper, 30.0)])
@pytest.mark.parametrize("steps", [(2, 3), (3, 2)])
def test_without_the_pair_of_streams_each_is_steered_as_it_would_be_alone(
    exact_animatediff, exact_audioldm, exact_binder, rule, rate, steps
):
    """A sum of losses has each one's gradient, and a resting stream does not move, whatever the other does."""
    together = _together(exact_animatediff, exact_audioldm, *steps, side=32, frames=2, fps=4)
    condition = text_condition(exact_binder, "a dog")
    rule = rule(
        rates={"video": rate, "audio": rate},
        prompt_rates={"video": 0.02, "audio": 0.01},
        inner_steps=2,
        start=0.0,
        checkpointing=False,
    )
    joint = _generated(together, exact_binder, [condition], rule, batch=2, pair_weight=0.0)
    assert list(joint.scores) == PAIRS[1:]
    for part in together.denoisers:
        (stream,) = part.streams
        alone = _generated(part, exact_binder, [condition], rule, batch=2)
        torch.testing.assert_close(joint.latents[stream], alone.latents[stream], atol=1e-9, rtol=0)
        torch.testing.assert_close(joint.prompts[stream], alone.prompts[stream], atol=1e-9, rtol=0)


def test_guiding_only_what_nothing_compares_is_an_error(denoiser, binder, text_condition):
    seen = replace(text_condition, streams=("video",))
    with pytest.raises(AlignerError, match="It moves audio, it compares video"):
        _generated(denoiser, binder, [seen], _released(rates={"audio": 0.1}), pair_weight=0.0)


def test_guiding_only_what_rests_in_the_window_is_an_error(animatediff, audioldm, binder, text_condition):
    together = _together(animatediff, audioldm, 1, 6)
    with pytest.raises(AlignerError, match="It moves video.* within its window are: audio"):
        _generated(together, binder, [text_condition], _released(rates={"video": 0.1}))


def test_nothing_to_compare_is_an_error(denoiser, binder):
    with pytest.raises(AlignerError, match="nothing to follow"):
        _generated(denoiser, binder, [], _released(), pair_weight=0.0)


@pytest.mark.parametrize("still, moving", [("video", "audio"), ("audio", "video")])
@pytest.mark.parametrize("steps", [(4, 6), (6, 4)])
def test_a_stream_with_rate_zero_is_left_alone(animatediff, audioldm, binder, text_condition, still, moving, steps):
    together = _together(animatediff, audioldm, *steps)
    rule = _released(rates={moving: 0.1, still: 0.0}, start=0.0)
    guided, plain = (_generated(together, binder, [text_condition], each) for each in (rule, Unguided()))
    assert torch.equal(guided.latents[still], plain.latents[still])
    assert not torch.equal(guided.latents[moving], plain.latents[moving])


def test_each_prompt_has_its_own_rate(denoiser, prompts, binder, text_condition):
    rule = _released(prompt_rates={"video": 0.05}, inner_steps=2)
    result = _generated(denoiser, binder, [text_condition], rule)
    assert torch.equal(result.prompts["audio"], prompts["audio"])
    assert not torch.equal(result.prompts["video"], prompts["video"])


def test_an_unguided_run_scores_the_pair_of_streams(denoiser, prompts, binder):
    assert list(generate(denoiser, prompts, seed=0, rule=Unguided(), binder=binder).scores) == PAIRS[:1]
    assert generate(denoiser, prompts, seed=0, rule=Unguided()).score is None


def test_video_to_video_with_a_new_sound(animatediff, audioldm, binder, text_condition, seeded):
    video = animatediff.denoiser(frames=FRAMES, fps=FPS, height=SIDE, width=SIDE, steps=10, denoise=0.3)
    together = JointDenoiser([video, audioldm.denoiser(seconds=video.seconds, steps=10)])
    clean = torch.randn(1, *video.shape, generator=seeded)
    result = _generated(together, binder, [text_condition], _released(), latents={"video": clean})
    assert together.steps == 10 and video.steps == 3
    fresh = _generated(together.denoisers[1], None, [], Unguided())
    assert result.latents["audio"].shape == fresh.latents["audio"].shape
    assert (result.latents["video"] - clean).norm() < clean.norm()


def test_same_seed_same_bits(denoiser, binder, text_condition):
    rule = _released(prompt_rates={"video": 0.02})
    first, second = (_generated(denoiser, binder, [text_condition], rule, seed=3) for _ in range(2))
    assert first.curves == second.curves
    assert all(torch.equal(first.latents[stream], second.latents[stream]) for stream in denoiser.streams)
