"""The gradient rules against plain references, and their cost, their freezing and their repeatability."""

from dataclasses import replace

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.conditions.condition import Condition
from aligner.conditions.encoding import audio_condition, video_condition
from aligner.conditions.timeline import Timeline
from aligner.demo.examples import EXAMPLE_VIDEO
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.audioldm import load_audioldm
from aligner.guidance.gradient import Paper, Released, _descend
from aligner.guidance.objective import PUBLISHED
from aligner.guidance.rule import Unguided
from aligner.timing.curves import parse_curve
from laboratory.random_models import load_random_imagebind
from tests.guidance.reference import paper_rule, released_rule

PROMPT, SECONDS = "a dog barks", 1.2


@pytest.fixture
def denoiser(audioldm):
    return audioldm.denoiser(seconds=SECONDS, steps=6, cfg=2.5)


@pytest.fixture
def prompts(denoiser):
    return denoiser.prompts([PROMPT])


def _generated(denoiser, prompts, binder, conditions, rule, seed=5, **arguments):
    return generate(denoiser, prompts, seed=seed, binder=binder, conditions=conditions, rule=rule, **arguments)


def _start(denoiser, seed=5):
    return denoiser.start([torch.Generator().manual_seed(seed)])


def _targets(conditions):
    return [condition.embedding.clips.mean(dim=1) for condition in conditions]


# --- the references -------------------------------------------------------------------------------------------------


def test_released_equals_its_reference_step_by_step(exact_audioldm, exact_binder, exact_conditions):
    denoiser = exact_audioldm.denoiser(seconds=SECONDS, steps=13, cfg=2.5)
    prompts = denoiser.prompts([PROMPT])
    expected = released_rule(
        exact_audioldm,
        exact_binder,
        _start(denoiser)["audio"],
        prompts["audio"],
        denoiser.negative,
        _targets(exact_conditions),
        steps=13,
        seconds=SECONDS,
    )
    latents, predict, steps = [], denoiser.predict, []

    def recording_predict(z, *arguments):
        latents.append(z["audio"].clone())
        return predict(z, *arguments)

    denoiser.predict = recording_predict
    result = _generated(denoiser, prompts, exact_binder, exact_conditions, Released(), on_step=steps.append)
    latents.append(result.latents["audio"])
    assert sum(step.alignment is not None for step in steps) == 10
    # A thousandth of an update: where a gradient is as small as Adam's epsilon, its rounding shows, and not on every
    # processor alike.
    for actual, latent in zip(latents[1:], expected, strict=True):
        torch.testing.assert_close(actual, latent, atol=1e-4, rtol=0)


@pytest.mark.parametrize("prompt_rate", [0.0, 0.05])
@pytest.mark.parametrize("moves", [1, 2])
def test_paper_equals_its_reference(exact_audioldm, exact_binder, exact_conditions, prompt_rate, moves):
    denoiser = exact_audioldm.denoiser(seconds=SECONDS, steps=6, cfg=2.5)
    prompts = denoiser.prompts([PROMPT])
    z, y = paper_rule(
        exact_audioldm,
        exact_binder,
        _start(denoiser)["audio"],
        prompts["audio"],
        denoiser.negative,
        _targets(exact_conditions),
        steps=6,
        seconds=SECONDS,
        lr=30.0,
        prompt_lr=prompt_rate,
        first=2,
        moves=moves,
    )
    rule = Paper(rates={"audio": 30.0}, prompt_rates={"audio": prompt_rate}, inner_steps=moves, start=0.2)
    result = _generated(denoiser, prompts, exact_binder, exact_conditions, rule)
    torch.testing.assert_close(result.latents["audio"], z, atol=1e-9, rtol=0)
    torch.testing.assert_close(result.prompts["audio"], y, atol=1e-9, rtol=0)
    assert (y - prompts["audio"]).abs().max() > 1e-6 or prompt_rate == 0


def test_paper_predicts_anew_for_the_moved_latent(exact_audioldm, exact_binder, exact_conditions):
    """Every step predicts twice: for the latent, and anew for the moved latent."""
    denoiser, seen = exact_audioldm.denoiser(seconds=0.5, steps=3), []
    predict = denoiser.predict

    def recording_predict(z, *arguments):
        seen.append(z["audio"].detach().clone())
        return predict(z, *arguments)

    denoiser.predict = recording_predict
    rule = Paper(rates={"audio": 30.0}, prompt_rates={}, start=0.0)
    _generated(denoiser, denoiser.prompts([PROMPT]), exact_binder, exact_conditions, rule)
    before, after = seen[::2], seen[1::2]
    assert len(before) == len(after) == 3
    assert all(not torch.equal(*pair) for pair in zip(before, after))


def test_the_two_rules_differ(denoiser, prompts, binder, two_conditions):
    released, paper = (
        _generated(denoiser, prompts, binder, two_conditions, rule).latents["audio"] for rule in (Released(), Paper())
    )
    assert (released - paper).abs().max() > 1e-3


# --- what guidance achieves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [Released(), Paper(rates={"audio": 30.0})], ids=["released", "paper"])
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_guidance_raises_the_score(denoiser, prompts, binder, two_conditions, rule, inner_steps):
    unguided = _generated(denoiser, prompts, binder, two_conditions, Unguided())
    guided = _generated(denoiser, prompts, binder, two_conditions, replace(rule, inner_steps=inner_steps))
    assert guided.score > unguided.score + 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_prompt_tuning_alone_raises_the_score(denoiser, prompts, binder, two_conditions, seed):
    """Figure 7 of the paper; random networks answer to their prompt weakly, hence the inner steps."""
    rule = Released(rates={"audio": 0.0}, prompt_rates={"audio": 0.02}, start=0.0, inner_steps=3)
    unguided, tuned = (
        _generated(denoiser, prompts, binder, two_conditions, each, seed=seed) for each in (Unguided(), rule)
    )
    assert tuned.score > unguided.score
    assert (tuned.prompts["audio"] - prompts["audio"]).abs().max() > 1e-2


def test_a_negative_weight_pushes_away(denoiser, prompts, binder, text_condition):
    def score(weight):
        condition = Condition(text_condition.embedding, weight)
        return _generated(denoiser, prompts, binder, [condition], Released()).scores["audio ~ text"].item()

    unguided = _generated(denoiser, prompts, binder, [text_condition], Unguided())
    assert score(-1.0) < unguided.scores["audio ~ text"].item() < score(1.0)


def test_a_given_sound_is_not_confused_with_the_generated_one(denoiser, prompts, binder, seeded):
    sound = torch.randn(1, 16000, generator=seeded) * 0.1
    given = [audio_condition(binder, sound, 16000, clips="seconds")]
    unguided, guided = (_generated(denoiser, prompts, binder, given, rule) for rule in (Unguided(), Released()))
    assert unguided.score + 1e-3 < guided.score < 0.99


@pytest.mark.parametrize("settings", [{"compare": "per_clip"}, {"clips": "spread"}])
def test_comparison_and_clips_reach_the_loss(denoiser, prompts, binder, settings):
    given, comparison = [video_condition(binder, EXAMPLE_VIDEO, clips="seconds")], replace(PUBLISHED, **settings)
    usual, other, unguided = (
        _generated(denoiser, prompts, binder, given, rule)
        for rule in (Released(), Released(comparison=comparison), Unguided(comparison))
    )
    assert (usual.latents["audio"] - other.latents["audio"]).abs().max() > 1e-3
    assert other.score > unguided.score


def test_half_precision_is_guided_too(audioldm_folder):
    binder = load_random_imagebind(seed=2, dtype=torch.bfloat16)
    denoiser = load_audioldm(audioldm_folder, dtype=torch.bfloat16).denoiser(seconds=SECONDS, steps=6)
    prompts = denoiser.prompts([PROMPT])
    given = [Condition(binder.embed_text([text])) for text in ("a dog barks", "rain on a roof")]
    unguided, guided = (_generated(denoiser, prompts, binder, given, rule) for rule in (Unguided(), Released()))
    assert guided.latents["audio"].dtype == torch.float32 and guided.score > unguided.score


def test_gradients_too_small_for_half_precision_survive():
    latent = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.SGD([latent], lr=1.0)
    loss = (latent.half().float() * 1e-8).sum(dim=0, keepdim=True)  # half precision ends at 6e-8
    _descend(optimiser, loss, 0)
    torch.testing.assert_close(latent.detach(), torch.full((3,), -1e-8), atol=0, rtol=0.01)


def _scheduled(condition, schedule):
    return Condition(condition.embedding, timeline=Timeline(schedule=parse_curve(schedule)))


def test_a_schedule_that_counts_at_one_guided_step_moves_something(denoiser, prompts, binder, text_condition):
    """The third of 6 steps is the first that is guided."""
    conditions = [_scheduled(text_condition, "0.35: 1, 0.36: 0")]
    faded, plain = (_generated(denoiser, prompts, binder, conditions, rule) for rule in (Released(), Unguided()))
    assert not torch.equal(faded.latents["audio"], plain.latents["audio"])


# --- cost, freezing, reports ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule, inner_steps, calls_per_step", [(Released, 1, 1), (Released, 3, 1), (Paper, 1, 2), (Paper, 3, 4)]
)
def test_no_network_call_is_wasted(
    audioldm, denoiser, prompts, binder, two_conditions, rule, inner_steps, calls_per_step
):
    """Only a gradient through the network, and a step from a latent that has moved, need the network again."""
    calls = []
    handle = audioldm.unet.register_forward_hook(lambda *_: calls.append(1))
    try:
        _generated(denoiser, prompts, binder, two_conditions, rule(inner_steps=inner_steps, start=0.0))
    finally:
        handle.remove()
    assert len(calls) == denoiser.steps * calls_per_step


def test_the_condition_is_not_encoded_again_while_sampling(denoiser, prompts, binder, two_conditions):
    calls = []
    handle = binder.text.register_forward_hook(lambda *_: calls.append(1))
    try:
        _generated(denoiser, prompts, binder, two_conditions, Released())
    finally:
        handle.remove()
    assert not calls


def test_weights_stay_frozen(audioldm, denoiser, prompts, binder, two_conditions):
    _generated(denoiser, prompts, binder, two_conditions, Paper(prompt_rates={"audio": 0.01}))
    parameters = [*audioldm.parameters(), *binder.parameters()]
    assert parameters and not any(p.requires_grad or p.grad is not None for p in parameters)


@pytest.mark.parametrize("rule", [Released(), Paper()], ids=["released", "paper"])
def test_same_seed_same_bits(denoiser, prompts, binder, two_conditions, rule):
    first, second, other = (
        _generated(denoiser, prompts, binder, two_conditions, rule, seed=seed).signals["audio"].waveform
        for seed in (5, 5, 6)
    )
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_checkpointing_changes_memory_and_not_the_result(denoiser, prompts, binder, two_conditions):
    def saved_bytes_and_latent(checkpointing):
        """How much the backward pass was kept for, outside the checkpointed blocks, which keep nothing."""
        saved = [0]

        def count(tensor):
            saved[0] += tensor.numel() * tensor.element_size()
            return tensor

        rule = Paper(start=0.6, checkpointing=checkpointing)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            result = _generated(denoiser, prompts, binder, two_conditions, rule)
        return saved[0], result.latents["audio"]

    plain_bytes, plain = saved_bytes_and_latent(False)
    checkpointed_bytes, checkpointed = saved_bytes_and_latent(True)
    torch.testing.assert_close(checkpointed, plain, atol=1e-5, rtol=1e-4)
    assert checkpointed_bytes < plain_bytes / 2


def test_the_curve_holds_every_guided_step(denoiser, prompts, binder, two_conditions):
    curves = _generated(denoiser, prompts, binder, two_conditions, Released(start=0.2, end=0.8)).curves
    assert list(curves) == ["audio ~ text", "audio ~ text 2"]
    assert [step for step, _ in curves["audio ~ text"]] == [3, 4, 5]


@pytest.mark.parametrize("rule", [Released(), Paper()], ids=["released", "paper"])
def test_what_a_step_reports_holds_no_graph(denoiser, prompts, binder, two_conditions, rule):
    steps = []
    _generated(denoiser, prompts, binder, two_conditions, rule, on_step=steps.append)
    last = steps[-1]
    assert not (last.rendered["audio"].waveform.requires_grad or last.alignment.loss.requires_grad)


def test_a_loss_that_is_not_finite_stops_the_run(denoiser, prompts, binder, text_condition):
    clips = text_condition.embedding.clips * float("nan")
    broken = Embedding(clips, None, "text", binder.fingerprint)
    with pytest.raises(AlignerError, match="not finite"):
        _generated(denoiser, prompts, binder, [Condition(broken)], Released())
