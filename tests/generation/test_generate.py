"""The guided loop against plain references, and what it promises about cost, freezing and repeatability."""

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.binders.imagebind.encode import embed_text
from aligner.conditions.condition import Condition
from aligner.conditions.encoding import audio_condition, video_condition
from aligner.conditions.timeline import Timeline
from aligner.demo.examples import EXAMPLE_VIDEO
from aligner.errors import AlignerError
from aligner.generation import _spans, generate, objective_of
from aligner.generators.audioldm import load_audioldm
from aligner.guidance.rule import Guidance
from aligner.sampling import _descend, sample
from aligner.tensors.checkpointing import checkpointed
from aligner.timing.clips import CLIP_SAMPLINGS
from aligner.timing.curves import parse_curve
from aligner.timing.intervals import Interval
from laboratory.random_models import load_random_imagebind

from .reference import network, paper_rule, released_rule

PROMPT, SECONDS = "a dog barks", 1.2


@pytest.fixture
def denoiser(audioldm):
    return audioldm.denoiser(seconds=SECONDS, steps=6, cfg=2.5)


@pytest.fixture
def prompts(denoiser):
    return denoiser.prompts([PROMPT])


@pytest.fixture(scope="module")
def two_conditions(binder):
    return _two_texts(binder)


def _two_texts(binder):
    return [Condition(embed_text(binder, [text])) for text in ("a dog barks", "rain on a roof")]


def _targets(conditions):
    return [condition.embedding.clips.mean(dim=1) for condition in conditions]


def _guided(denoiser, prompts, binder, conditions, seed=5, **settings):
    return generate(
        denoiser,
        prompts,
        seed=seed,
        binder=binder,
        conditions=conditions,
        guidance=Guidance(**{"rule": "released"} | settings),
    )


def _start(denoiser, seed=5):
    return denoiser.start([torch.Generator().manual_seed(seed)])


def test_released_rule_equals_its_reference_step_by_step(exact_audioldm, exact_binder):
    denoiser = exact_audioldm.denoiser(seconds=SECONDS, steps=13, cfg=2.5)
    prompts, conditions = denoiser.prompts([PROMPT]), _two_texts(exact_binder)
    expected = released_rule(
        exact_audioldm,
        exact_binder,
        _start(denoiser)["audio"],
        prompts["audio"],
        denoiser.negative,
        _targets(conditions),
        steps=13,
        seconds=SECONDS,
    )
    latents, predict, steps = [], denoiser.predict, []

    def recording_predict(z, y, index):
        latents.append(z["audio"].clone())
        return predict(z, y, index)

    denoiser.predict = recording_predict
    result = generate(
        denoiser,
        prompts,
        seed=5,
        binder=exact_binder,
        conditions=conditions,
        guidance=Guidance(rule="released"),
        on_step=steps.append,
    )
    latents.append(result.latents["audio"])
    assert sum(step.alignment is not None for step in steps) == 10
    # A thousandth of an update: where a gradient is as small as Adam's epsilon, its rounding shows, and not on every
    # processor alike.
    for actual, latent in zip(latents[1:], expected, strict=True):
        torch.testing.assert_close(actual, latent, atol=1e-4, rtol=0)


@pytest.mark.parametrize("prompt_rate", [0.0, 0.05])
def test_paper_rule_equals_its_reference(exact_audioldm, exact_binder, prompt_rate):
    denoiser = exact_audioldm.denoiser(seconds=SECONDS, steps=6, cfg=2.5)
    prompts, conditions = denoiser.prompts([PROMPT]), _two_texts(exact_binder)
    z, y = paper_rule(
        exact_audioldm,
        exact_binder,
        _start(denoiser)["audio"],
        prompts["audio"],
        denoiser.negative,
        _targets(conditions),
        steps=6,
        seconds=SECONDS,
        lr=30.0,
        prompt_lr=prompt_rate,
    )
    result = _guided(
        denoiser,
        prompts,
        exact_binder,
        conditions,
        rule="paper",
        start=0.0,
        rates={"audio": 30.0},
        prompt_rates={"audio": prompt_rate},
    )
    torch.testing.assert_close(result.latents["audio"], z, atol=1e-6, rtol=0)
    torch.testing.assert_close(result.prompts["audio"], y, atol=1e-6, rtol=0)
    assert (y - prompts["audio"]).abs().max() > 1e-6 or prompt_rate == 0


def test_the_two_rules_differ(denoiser, prompts, binder, two_conditions):
    released, paper = (
        _guided(denoiser, prompts, binder, two_conditions, rule=rule).latents["audio"] for rule in ("released", "paper")
    )
    assert (released - paper).abs().max() > 1e-3


@pytest.mark.parametrize("rule", ["released", "paper"])
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_guidance_raises_the_score(denoiser, prompts, binder, two_conditions, rule, inner_steps):
    rates = {"audio": 0.1 if rule == "released" else 30.0}
    unguided = generate(denoiser, prompts, seed=5, binder=binder, conditions=two_conditions)
    guided = _guided(denoiser, prompts, binder, two_conditions, rule=rule, inner_steps=inner_steps, rates=rates)
    assert guided.score > unguided.score + 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_prompt_tuning_alone_raises_the_score(denoiser, prompts, binder, two_conditions, seed):
    """Figure 7 of the paper; random networks answer to their prompt weakly, hence the inner steps."""
    unguided = generate(denoiser, prompts, seed=seed, binder=binder, conditions=two_conditions)
    tuned = _guided(
        denoiser,
        prompts,
        binder,
        two_conditions,
        seed=seed,
        rates={"audio": 0.0},
        prompt_rates={"audio": 0.02},
        start=0.0,
        inner_steps=3,
    )
    assert tuned.score > unguided.score
    assert (tuned.prompts["audio"] - prompts["audio"]).abs().max() > 1e-2


def test_a_negative_weight_pushes_away(denoiser, prompts, binder, text_condition):
    def score(weight):
        condition = Condition(text_condition.embedding, weight)
        return _guided(denoiser, prompts, binder, [condition]).scores["audio ~ text"].item()

    unguided = generate(denoiser, prompts, seed=5, binder=binder, conditions=[text_condition])
    assert score(-1.0) < unguided.scores["audio ~ text"].item() < score(1.0)


def test_the_curve_holds_every_guided_step(denoiser, prompts, binder, two_conditions):
    curves = _guided(denoiser, prompts, binder, two_conditions, start=0.2, end=0.8).curves
    assert list(curves) == ["audio ~ text", "audio ~ text 2"]
    assert [step for step, _ in curves["audio ~ text"]] == [3, 4, 5]


@pytest.mark.parametrize(
    "rule, inner_steps, calls_per_step", [("released", 1, 1), ("released", 3, 1), ("paper", 1, 1), ("paper", 3, 3)]
)
def test_no_network_call_is_wasted(
    audioldm, denoiser, prompts, binder, two_conditions, rule, inner_steps, calls_per_step
):
    """Only a gradient through the network, at a latent that has moved, needs the network again."""
    calls = []
    handle = audioldm.unet.register_forward_hook(lambda *_: calls.append(1))
    try:
        _guided(denoiser, prompts, binder, two_conditions, rule=rule, inner_steps=inner_steps, start=0.0)
    finally:
        handle.remove()
    assert len(calls) == denoiser.steps * calls_per_step


def test_the_condition_is_not_encoded_again_while_sampling(denoiser, prompts, binder, two_conditions):
    calls = []
    handle = binder.text.register_forward_hook(lambda *_: calls.append(1))
    try:
        _guided(denoiser, prompts, binder, two_conditions)
    finally:
        handle.remove()
    assert not calls


def test_weights_stay_frozen(audioldm, denoiser, prompts, binder, two_conditions):
    _guided(denoiser, prompts, binder, two_conditions, rule="paper", prompt_rates={"audio": 0.01})
    parameters = [*audioldm.parameters(), *binder.parameters()]
    assert parameters and not any(p.requires_grad or p.grad is not None for p in parameters)


@pytest.mark.parametrize("rule", ["released", "paper"])
def test_same_seed_same_bits(denoiser, prompts, binder, two_conditions, rule):
    first, second = (_guided(denoiser, prompts, binder, two_conditions, rule=rule) for _ in range(2))
    assert torch.equal(first.signals["audio"].waveform, second.signals["audio"].waveform)
    other = _guided(denoiser, prompts, binder, two_conditions, rule=rule, seed=6)
    assert not torch.equal(first.signals["audio"].waveform, other.signals["audio"].waveform)


def test_a_variation_can_be_made_again_alone(exact_audioldm, exact_binder):
    denoiser = exact_audioldm.denoiser(seconds=SECONDS, steps=4)
    prompts, conditions = denoiser.prompts([PROMPT]), _two_texts(exact_binder)
    batch = generate(
        denoiser, prompts, seed=5, batch=3, binder=exact_binder, conditions=conditions, guidance=Guidance("released")
    )
    alone = _guided(denoiser, prompts, exact_binder, conditions, seed=7)
    torch.testing.assert_close(batch.latents["audio"][2:], alone.latents["audio"], atol=1e-6, rtol=0)
    assert batch.score.shape == (3,)


def test_checkpointing_changes_memory_and_not_the_result(denoiser, prompts, binder, two_conditions):
    def saved_bytes_and_latent(checkpointing):
        """How much the backward pass was kept for, outside the checkpointed blocks, which keep nothing."""
        saved = [0]

        def count(tensor):
            saved[0] += tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            result = _guided(
                denoiser, prompts, binder, two_conditions, rule="paper", start=0.6, checkpointing=checkpointing
            )
        return saved[0], result.latents["audio"]

    plain_bytes, plain = saved_bytes_and_latent(False)
    checkpointed_bytes, checkpointed = saved_bytes_and_latent(True)
    torch.testing.assert_close(checkpointed, plain, atol=1e-5, rtol=1e-4)
    assert checkpointed_bytes < plain_bytes / 2


def test_runs_under_inference_mode_with_inference_tensors(denoiser, binder, two_conditions):
    with torch.inference_mode():
        prompts = denoiser.prompts([PROMPT])
        conditions = [
            Condition(type(c.embedding)(c.embedding.clips.clone(), c.embedding.spans, c.embedding.modality))
            for c in two_conditions
        ]
        assert conditions[0].embedding.clips.is_inference() and prompts["audio"].is_inference()
        inside = _guided(denoiser, prompts, binder, conditions)
    outside = _guided(denoiser, denoiser.prompts([PROMPT]), binder, two_conditions)
    assert torch.equal(inside.latents["audio"], outside.latents["audio"])
    assert not inside.latents["audio"].requires_grad


def test_refining_a_latent_starts_from_its_noised_copy(exact_audioldm):
    """Equal to plain DDIM over the last part of the schedule, from the latent with noise upon it (eq. 2)."""
    whole = exact_audioldm.denoiser(seconds=0.5, steps=6)
    prompts, first = whole.prompts([PROMPT]), generate(whole, whole.prompts([PROMPT]), seed=5).latents
    part = exact_audioldm.denoiser(seconds=0.5, steps=6, denoise=0.5)
    refined = generate(part, prompts, seed=9, latents=first)
    scheduler = whole.scheduler
    alpha_bar = scheduler.alphas_cumprod[scheduler.timesteps[3]].double()
    noise = torch.randn(exact_audioldm.latent_shape(8000), generator=torch.Generator().manual_seed(9))[None]
    z = alpha_bar**0.5 * first["audio"] + (1 - alpha_bar) ** 0.5 * noise.double()
    for t in scheduler.timesteps[3:]:
        with torch.no_grad():
            z = scheduler.step(network(exact_audioldm, z, t, whole.negative, prompts["audio"], 2.5), t, z).prev_sample
    torch.testing.assert_close(refined.latents["audio"], z, atol=1e-6, rtol=1e-6)


def test_a_latent_counts_however_little_of_it_is_kept(audioldm, denoiser, prompts):
    first = generate(denoiser, prompts, seed=5)
    almost = audioldm.denoiser(seconds=SECONDS, steps=6, denoise=0.95)
    refined = generate(almost, prompts, seed=9, latents=first.latents)
    assert not torch.equal(refined.latents["audio"], generate(denoiser, prompts, seed=9).latents["audio"])


def test_whatever_a_callback_raises_ends_the_run_at_that_step(denoiser, prompts):
    class Cancelled(BaseException):
        pass

    steps = []

    def cancel(step):
        steps.append(step.index)
        if step.index == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sample(denoiser, _start(denoiser), prompts, on_step=cancel)
    assert steps == [0, 1, 2]


def test_a_loss_that_is_not_finite_stops_the_run(denoiser, prompts, binder, text_condition):
    broken = type(text_condition.embedding)(text_condition.embedding.clips * float("nan"), None, "text")
    with pytest.raises(AlignerError, match="not finite"):
        _guided(denoiser, prompts, binder, [Condition(broken)])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch": 0}, "variation"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64 - 1, "batch": 2}, "seed"),
        ({"guidance": Guidance()}, "no condition"),
        ({"latents": {"video": torch.zeros(1)}}, "no stream 'video'"),
        ({"latents": {"audio": torch.zeros(1, 8, 7, 16)}}, "shape"),
    ],
)
def test_bad_requests_name_themselves_before_sampling(audioldm, denoiser, prompts, binder, arguments, message):
    calls = []
    handle = audioldm.unet.register_forward_hook(lambda *_: calls.append(1))
    try:
        with pytest.raises(AlignerError, match=message):
            generate(denoiser, prompts, **{"seed": 0, "binder": binder} | arguments)
    finally:
        handle.remove()
    assert not calls


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"start": 0.99}, "holds none of the 6 steps"),
        ({"rates": {"audio": 0.0}}, "moves nothing"),
    ],
)
def test_guidance_without_effect_is_an_error_before_sampling(
    denoiser, prompts, binder, text_condition, settings, message
):
    with pytest.raises(AlignerError, match=message):
        _guided(denoiser, prompts, binder, [text_condition], **settings)


def _scheduled(condition, schedule):
    return Condition(condition.embedding, timeline=Timeline(schedule=parse_curve(schedule)))


@pytest.mark.parametrize(
    "schedule, settings",
    [
        ("0: 1, 0.1: 0", {"start": 0.2}),
        ("0.6: 0, 0.61: 1", {"start": 0.0, "end": 0.6}),
        ("0: 1, 0.4: 0", {"candidates": {"audio": 2}, "chosen_at": 0.34, "start": 0.4}),
    ],
)
def test_a_schedule_that_is_0_while_latents_move_is_an_error(
    denoiser, prompts, binder, text_condition, schedule, settings
):
    faded, always = _scheduled(text_condition, schedule), text_condition
    with pytest.raises(AlignerError, match="moves nothing.* the schedules of all conditions are 0"):
        _guided(denoiser, prompts, binder, [faded], **settings)
    assert _guided(denoiser, prompts, binder, [faded, always], **settings).score
    assert generate(denoiser, prompts, seed=5, binder=binder, conditions=[faded], steer=False).score


def test_a_schedule_that_counts_at_one_guided_step_moves_something(denoiser, prompts, binder, text_condition):
    """Of 6 steps the third is the first that is guided."""
    faded = _guided(denoiser, prompts, binder, [_scheduled(text_condition, "0.35: 1, 0.36: 0")])
    plain = generate(denoiser, prompts, seed=5)
    assert not torch.equal(faded.latents["audio"], plain.latents["audio"])


@pytest.mark.parametrize("settings", [{"steer": False}, {}])
def test_a_condition_between_the_clips_is_an_error_before_sampling(audioldm, prompts, binder, text_condition, settings):
    """Of 10 s ImageBind's own sampling hears 0 to 2, 4 to 6 and 8 to 10."""
    denoiser, steps = audioldm.denoiser(seconds=10, steps=6), []
    between = Condition(text_condition.embedding, timeline=Timeline(target=Interval(2.1, 3.9)))
    guidance = Guidance("released", clips="upstream")
    with pytest.raises(AlignerError, match="'text' steers 2.1 s to 3.9 s.* Choose clips short or released"):
        generate(
            denoiser,
            prompts,
            seed=5,
            binder=binder,
            conditions=[between],
            guidance=guidance,
            on_step=steps.append,
            **settings,
        )
    assert not steps
    for clips in ("short", "released"):
        objective_of(denoiser, binder, [between], guidance=Guidance("released", clips=clips))


@pytest.mark.parametrize("clips", list(CLIP_SAMPLINGS))
def test_it_is_known_beforehand_which_clips_are_looked_at(audioldm, animatediff, binder, clips):
    """But for the fraction of a latent frame that a sound is longer than asked for."""
    denoisers = [
        audioldm.denoiser(seconds=3.3, steps=1),
        animatediff.denoiser(frames=10, height=16, width=16, fps=3, steps=1),
    ]
    for denoiser in denoisers:
        (stream,), sampling = denoiser.streams, CLIP_SAMPLINGS[clips]
        with torch.no_grad():
            seen = denoiser.render({stream: torch.zeros(1, *denoiser.shape)})[stream].embed(binder, sampling)
        assert _spans(denoiser, stream, sampling) == [pytest.approx(span, abs=0.05) for span in seen.spans]


def test_keeping_a_part_of_no_latent_is_an_error(audioldm, prompts):
    with pytest.raises(AlignerError, match="no audio latent"):
        generate(audioldm.denoiser(seconds=SECONDS, steps=6, denoise=0.5), prompts, seed=0)


def test_conditions_without_a_binder_are_an_error(denoiser, prompts, text_condition):
    with pytest.raises(AlignerError, match="ImageBind"):
        generate(denoiser, prompts, seed=0, conditions=[text_condition])


def test_a_condition_of_another_imagebind_is_an_error(denoiser, prompts, binder):
    foreign = Condition(Embedding(torch.ones(1, 1, 1024), None, "text"))
    with pytest.raises(AlignerError, match="another ImageBind"):
        generate(denoiser, prompts, seed=0, binder=binder, conditions=[foreign])


def test_a_given_sound_is_not_confused_with_the_generated_one(denoiser, prompts, binder, seeded):
    given = [audio_condition(binder, torch.randn(1, 16000, generator=seeded) * 0.1, 16000)]
    unguided = generate(denoiser, prompts, seed=5, binder=binder, conditions=given)
    guided = _guided(denoiser, prompts, binder, given)
    assert unguided.score + 1e-3 < guided.score < 0.99


@pytest.mark.parametrize("settings", [{"compare": "per_clip"}, {"clips": "upstream"}])
def test_comparison_and_clips_reach_the_loss(denoiser, prompts, binder, settings):
    given = [video_condition(binder, EXAMPLE_VIDEO)]
    usual, other = (_guided(denoiser, prompts, binder, given, **changed) for changed in ({}, settings))
    assert (usual.latents["audio"] - other.latents["audio"]).abs().max() > 1e-3
    unguided = generate(
        denoiser,
        prompts,
        seed=5,
        binder=binder,
        conditions=given,
        guidance=Guidance(**{"rule": "released"} | settings),
        steer=False,
    )
    assert other.score > unguided.score


def test_half_precision_is_guided_too(audioldm_folder):
    binder = load_random_imagebind(seed=2, dtype=torch.bfloat16)
    denoiser = load_audioldm(audioldm_folder, dtype=torch.bfloat16).denoiser(seconds=SECONDS, steps=6)
    prompts, given = denoiser.prompts([PROMPT]), _two_texts(binder)
    unguided = generate(denoiser, prompts, seed=5, binder=binder, conditions=given)
    guided = _guided(denoiser, prompts, binder, given)
    assert guided.latents["audio"].dtype == torch.float32 and guided.score > unguided.score


def test_the_asked_length_decides_the_number_of_clips(audioldm, binder):
    """Two seconds are two clips, though the vocoder returns 32 samples more."""
    sound = audioldm.denoiser(seconds=2, steps=1).render({"audio": torch.zeros(1, 8, 50, 16)})["audio"]
    assert sound.waveform.shape[1] > 32000
    assert sound.embed(binder, CLIP_SAMPLINGS["released"]).clips.shape[1] == 2


def test_what_a_step_reports_holds_no_graph(denoiser, prompts, binder, two_conditions):
    steps = []
    generate(
        denoiser,
        prompts,
        seed=5,
        binder=binder,
        conditions=two_conditions,
        guidance=Guidance("released"),
        on_step=steps.append,
    )
    last = steps[-1]
    assert not (last.rendered["audio"].waveform.requires_grad or last.alignment.loss.requires_grad)


def test_unguided_without_weights_is_not_an_error(denoiser, prompts, binder, text_condition):
    off = Condition(text_condition.embedding, 0.0)
    result = generate(
        denoiser, prompts, seed=5, binder=binder, conditions=[off], guidance=Guidance("released"), steer=False
    )
    assert result.score is None


def test_checkpointing_gives_a_hosts_forward_back():
    module = torch.nn.Linear(2, 2)
    hook = module.forward = lambda x: x * 2
    with checkpointed([module, module]):
        assert torch.equal(module(torch.ones(1)), torch.full((1,), 2.0))
    assert module.forward is hook


def test_gradients_too_small_for_half_precision_survive():
    latent = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.SGD([latent], lr=1.0)
    loss = (latent.half().float() * 1e-8).sum(dim=0, keepdim=True)  # half precision ends at 6e-8
    _descend(optimiser, loss, 0)
    torch.testing.assert_close(latent.detach(), torch.full((3,), -1e-8), atol=0, rtol=0.01)
