"""The guided loop against plain references, and what it promises about cost, freezing and repeatability."""

import pytest
import torch

from aligner.conditions import Condition
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.guidance import Guidance
from aligner.imagebind.encode import Embedding, embed_text
from aligner.sampling import sample

from .reference import paper_rule, released_rule

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
    return generate(denoiser, prompts, seed=seed, binder=binder, conditions=conditions, guidance=Guidance(**settings))


def _start(denoiser, seed=5):
    return denoiser.noise([torch.Generator().manual_seed(seed)])


def test_released_rule_equals_its_reference_step_by_step(exact_audioldm, exact_binder):
    denoiser = exact_audioldm.denoiser(seconds=SECONDS, steps=13, cfg=2.5)
    prompts, conditions = denoiser.prompts([PROMPT]), _two_texts(exact_binder)
    expected = released_rule(exact_audioldm, exact_binder, _start(denoiser)["audio"], prompts["audio"],
                             denoiser.negative, _targets(conditions), steps=13, seconds=SECONDS)
    latents, predict, steps = [], denoiser.predict, []

    def recording_predict(z, y, index):
        latents.append(z["audio"].clone())
        return predict(z, y, index)

    denoiser.predict = recording_predict
    result = generate(denoiser, prompts, seed=5, binder=exact_binder, conditions=conditions,
                      guidance=Guidance(rule="released"), on_step=steps.append)
    latents.append(result.latents["audio"])
    assert sum(step.alignment is not None for step in steps) == 10
    for actual, latent in zip(latents[1:], expected, strict=True):
        torch.testing.assert_close(actual, latent, atol=1e-6, rtol=0)


@pytest.mark.parametrize("prompt_rate", [0.0, 0.05])
def test_paper_rule_equals_its_reference(exact_audioldm, exact_binder, prompt_rate):
    denoiser = exact_audioldm.denoiser(seconds=SECONDS, steps=6, cfg=2.5)
    prompts, conditions = denoiser.prompts([PROMPT]), _two_texts(exact_binder)
    z, y = paper_rule(exact_audioldm, exact_binder, _start(denoiser)["audio"], prompts["audio"], denoiser.negative,
                      _targets(conditions), steps=6, seconds=SECONDS, lr=30.0, prompt_lr=prompt_rate)
    result = _guided(denoiser, prompts, exact_binder, conditions, rule="paper", start=0.0, rates={"audio": 30.0},
                     prompt_rate=prompt_rate)
    torch.testing.assert_close(result.latents["audio"], z, atol=1e-6, rtol=0)
    torch.testing.assert_close(result.prompts["audio"], y, atol=1e-6, rtol=0)
    assert (y - prompts["audio"]).abs().max() > 1e-6 or prompt_rate == 0


def test_the_two_rules_differ(denoiser, prompts, binder, two_conditions):
    released, paper = (_guided(denoiser, prompts, binder, two_conditions, rule=rule).latents["audio"]
                       for rule in ("released", "paper"))
    assert (released - paper).abs().max() > 1e-3


@pytest.mark.parametrize("rule", ["released", "paper"])
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_guidance_raises_the_score(denoiser, prompts, binder, two_conditions, rule, inner_steps):
    rates = {"audio": 0.1 if rule == "released" else 30.0}
    unguided = generate(denoiser, prompts, seed=5, binder=binder, conditions=two_conditions)
    guided = _guided(denoiser, prompts, binder, two_conditions, rule=rule, inner_steps=inner_steps, rates=rates)
    assert guided.score > unguided.score + 1e-3


def test_prompt_tuning_alone_raises_the_score_and_moves_only_the_prompt(denoiser, prompts, binder, two_conditions):
    unguided = generate(denoiser, prompts, seed=5, binder=binder, conditions=two_conditions)
    tuned = _guided(denoiser, prompts, binder, two_conditions, rates={"audio": 0.0}, prompt_rate=0.02, start=0.0)
    assert tuned.score > unguided.score
    assert (tuned.prompts["audio"] - prompts["audio"]).abs().max() > 1e-3
    again = generate(denoiser, tuned.prompts, seed=5)
    assert again.latents["audio"].shape == tuned.latents["audio"].shape


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


@pytest.mark.parametrize("rule", ["released", "paper"])
def test_one_network_call_per_step(audioldm, denoiser, prompts, binder, two_conditions, rule):
    calls = []
    handle = audioldm.unet.register_forward_hook(lambda *_: calls.append(1))
    try:
        _guided(denoiser, prompts, binder, two_conditions, rule=rule)
    finally:
        handle.remove()
    assert len(calls) == denoiser.steps


def test_the_condition_is_not_encoded_again_while_sampling(denoiser, prompts, binder, two_conditions):
    calls = []
    handle = binder.text.register_forward_hook(lambda *_: calls.append(1))
    try:
        _guided(denoiser, prompts, binder, two_conditions)
    finally:
        handle.remove()
    assert not calls


def test_weights_stay_frozen(audioldm, denoiser, prompts, binder, two_conditions):
    _guided(denoiser, prompts, binder, two_conditions, rule="paper", prompt_rate=0.01)
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
    batch = generate(denoiser, prompts, seed=5, batch=3, binder=exact_binder, conditions=conditions,
                     guidance=Guidance())
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
            result = _guided(denoiser, prompts, binder, two_conditions, rule="paper", start=0.6,
                             checkpointing=checkpointing)
        return saved[0], result.latents["audio"]

    plain_bytes, plain = saved_bytes_and_latent(False)
    checkpointed_bytes, checkpointed = saved_bytes_and_latent(True)
    torch.testing.assert_close(checkpointed, plain, atol=1e-5, rtol=1e-4)
    assert checkpointed_bytes < plain_bytes / 2


def test_runs_under_inference_mode_with_inference_tensors(denoiser, binder, two_conditions):
    with torch.inference_mode():
        prompts = denoiser.prompts([PROMPT])
        conditions = [Condition(type(c.embedding)(c.embedding.clips.clone(), c.embedding.spans, c.embedding.modality))
                      for c in two_conditions]
        assert conditions[0].embedding.clips.is_inference() and prompts["audio"].is_inference()
        inside = _guided(denoiser, prompts, binder, conditions)
    outside = _guided(denoiser, denoiser.prompts([PROMPT]), binder, two_conditions)
    assert torch.equal(inside.latents["audio"], outside.latents["audio"])
    assert not inside.latents["audio"].requires_grad


def test_a_latent_can_be_refined(denoiser, prompts, binder, two_conditions):
    first = generate(denoiser, prompts, seed=5)
    refined = generate(denoiser, prompts, seed=9, latents=first.latents, denoise=0.5, binder=binder,
                       conditions=two_conditions, guidance=Guidance())
    fresh = generate(denoiser, prompts, seed=9)

    def distance(result):
        return (result.latents["audio"] - first.latents["audio"]).abs().mean()

    assert 0 < distance(refined) < distance(fresh)


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


@pytest.mark.parametrize("arguments, message", [
    ({"denoise": 0.0}, "denoise"),
    ({"denoise": 0.5}, "no latent"),
    ({"batch": 0}, "variation"),
    ({"guidance": Guidance()}, "no condition"),
    ({"guidance": Guidance(start=0.99)}, "no condition|holds none"),
])
def test_bad_requests_name_themselves_before_sampling(audioldm, denoiser, prompts, binder, arguments, message):
    calls = []
    handle = audioldm.unet.register_forward_hook(lambda *_: calls.append(1))
    try:
        with pytest.raises(AlignerError, match=message):
            generate(denoiser, prompts, seed=0, binder=binder, **arguments)
    finally:
        handle.remove()
    assert not calls


def test_a_window_before_the_first_sampled_step_is_an_error(denoiser, prompts, binder, text_condition):
    latents = {"audio": torch.zeros_like(_start(denoiser)["audio"])}
    with pytest.raises(AlignerError, match="Guidance ends at step"):
        generate(denoiser, prompts, seed=0, latents=latents, denoise=0.3, binder=binder,
                 conditions=[text_condition], guidance=Guidance(start=0.0, end=0.4))


def test_a_latent_of_another_length_is_an_error(denoiser, prompts):
    with pytest.raises(AlignerError, match="shape"):
        generate(denoiser, prompts, seed=0, latents={"audio": torch.zeros(1, 8, 7, 16)}, denoise=0.5)


def test_conditions_without_a_binder_are_an_error(denoiser, prompts, text_condition):
    with pytest.raises(AlignerError, match="ImageBind"):
        generate(denoiser, prompts, seed=0, conditions=[text_condition])


def test_a_condition_of_another_imagebind_is_an_error(denoiser, prompts, binder):
    foreign = Condition(Embedding(torch.ones(1, 1, 1024), None, "text"))
    with pytest.raises(AlignerError, match="another ImageBind"):
        generate(denoiser, prompts, seed=0, binder=binder, conditions=[foreign])
