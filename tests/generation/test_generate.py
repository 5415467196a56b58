"""Generation from seeds, prompts and latents, whatever the rule."""

from dataclasses import replace

import pytest
import torch

from aligner.conditions.condition import Condition
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.guidance.gradient import Released
from aligner.guidance.rule import Unguided
from tests.guidance.reference import network

PROMPT, SECONDS = "a dog barks", 1.2


@pytest.fixture
def denoiser(audioldm):
    return audioldm.denoiser(seconds=SECONDS, steps=6, cfg=2.5)


@pytest.fixture
def prompts(denoiser):
    return denoiser.prompts([PROMPT])


def test_a_variation_can_be_made_again_alone(exact_audioldm, exact_binder, exact_conditions):
    denoiser = exact_audioldm.denoiser(seconds=SECONDS, steps=4)
    prompts = denoiser.prompts([PROMPT])
    batch, alone = (
        generate(
            denoiser,
            prompts,
            seed=seed,
            batch=count,
            rule=Released(),
            binder=exact_binder,
            conditions=exact_conditions,
        )
        for seed, count in ((5, 3), (7, 1))
    )
    torch.testing.assert_close(batch.latents["audio"][2:], alone.latents["audio"], atol=1e-6, rtol=0)
    assert batch.score.shape == (3,)


def test_it_runs_under_inference_mode_with_inference_tensors(denoiser, binder, two_conditions):
    with torch.inference_mode():
        prompts = denoiser.prompts([PROMPT])
        conditions = [
            replace(each, embedding=each.embedding.mapped(lambda clips: clips.clone())) for each in two_conditions
        ]
        assert conditions[0].embedding.clips.is_inference() and prompts["audio"].is_inference()
        inside = generate(denoiser, prompts, seed=5, rule=Released(), binder=binder, conditions=conditions)
    outside = generate(
        denoiser, denoiser.prompts([PROMPT]), seed=5, rule=Released(), binder=binder, conditions=two_conditions
    )
    assert torch.equal(inside.latents["audio"], outside.latents["audio"])
    assert not inside.latents["audio"].requires_grad


def test_refining_a_latent_starts_from_its_noised_copy(exact_audioldm):
    """Equal to plain DDIM over the last part of the schedule, from the latent with noise upon it (eq. 2)."""
    whole = exact_audioldm.denoiser(seconds=0.5, steps=6)
    prompts = whole.prompts([PROMPT])
    first = generate(whole, prompts, seed=5, rule=Unguided()).latents
    part = exact_audioldm.denoiser(seconds=0.5, steps=6, denoise=0.5)
    refined = generate(part, prompts, seed=9, rule=Unguided(), latents=first)
    scheduler = whole.scheduler
    alpha_bar = scheduler.alphas_cumprod[scheduler.timesteps[3]].double()
    noise = torch.randn(exact_audioldm.latent_shape(8000), generator=torch.Generator().manual_seed(9))[None]
    z = alpha_bar**0.5 * first["audio"] + (1 - alpha_bar) ** 0.5 * noise.double()
    for t in scheduler.timesteps[3:]:
        with torch.no_grad():
            z = scheduler.step(network(exact_audioldm, z, t, whole.negative, prompts["audio"], 2.5), t, z).prev_sample
    torch.testing.assert_close(refined.latents["audio"], z, atol=1e-6, rtol=1e-6)


def test_a_latent_counts_however_little_of_it_is_kept(audioldm, denoiser, prompts):
    first, other = (generate(denoiser, prompts, seed=seed, rule=Unguided()).latents for seed in (5, 9))
    almost = audioldm.denoiser(seconds=SECONDS, steps=6, denoise=0.95)
    refined = generate(almost, prompts, seed=9, rule=Unguided(), latents=first)
    assert not torch.equal(refined.latents["audio"], other["audio"])


def test_keeping_a_part_of_no_latent_is_an_error(audioldm, prompts):
    with pytest.raises(AlignerError, match="no audio latent"):
        generate(audioldm.denoiser(seconds=SECONDS, steps=6, denoise=0.5), prompts, seed=0, rule=Unguided())


def test_unguided_without_weights_scores_nothing(denoiser, prompts, binder, text_condition):
    off = Condition(text_condition.embedding, 0.0)
    assert generate(denoiser, prompts, seed=5, rule=Unguided(), binder=binder, conditions=[off]).score is None
