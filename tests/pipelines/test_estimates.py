"""The clean estimate is found in a step of every kind of scheduler: a network that knows the result predicts it."""

import diffusers
import pytest
import torch

from aligner.errors import AlignerError
from aligner.pipelines.estimates import estimate_of

SHAPE = (1, 2, 3, 5)
STEPS = 8

NOISE = [
    diffusers.DDIMScheduler(clip_sample=False),
    diffusers.DDIMScheduler(clip_sample=False, prediction_type="v_prediction"),
    diffusers.DDPMScheduler(clip_sample=False),
    diffusers.PNDMScheduler(skip_prk_steps=True),
    diffusers.PNDMScheduler(skip_prk_steps=True, prediction_type="v_prediction"),
    diffusers.EulerDiscreteScheduler(),
    diffusers.EulerDiscreteScheduler(prediction_type="v_prediction"),
    diffusers.EulerAncestralDiscreteScheduler(),
    diffusers.HeunDiscreteScheduler(),
    diffusers.KDPM2DiscreteScheduler(),
    diffusers.DPMSolverMultistepScheduler(),
    diffusers.DPMSolverMultistepScheduler(use_karras_sigmas=True),
    diffusers.DPMSolverMultistepScheduler(prediction_type="v_prediction"),
    diffusers.DPMSolverMultistepScheduler(prediction_type="sample"),
    diffusers.DPMSolverMultistepScheduler(algorithm_type="dpmsolver", final_sigmas_type="sigma_min"),
    diffusers.DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++"),
    diffusers.DPMSolverSinglestepScheduler(),
    diffusers.UniPCMultistepScheduler(),
    diffusers.UniPCMultistepScheduler(predict_x0=False, final_sigmas_type="sigma_min"),
    diffusers.DEISMultistepScheduler(),
    diffusers.SASolverScheduler(),
    diffusers.TCDScheduler(),
]
FLOW = [
    diffusers.FlowMatchEulerDiscreteScheduler(),
    diffusers.FlowMatchEulerDiscreteScheduler(stochastic_sampling=True),
    diffusers.FlowMatchHeunDiscreteScheduler(),
    diffusers.FlowMatchLCMScheduler(),
    diffusers.DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
    diffusers.UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
]
PRECONDITIONED = [
    diffusers.EDMEulerScheduler(),
    diffusers.EDMDPMSolverMultistepScheduler(),
    diffusers.CosineDPMSolverMultistepScheduler(),
]


def _named(scheduler):
    changed = [str(value) for key, value in scheduler.config.items() if key in ("prediction_type", "algorithm_type")]
    return " ".join([type(scheduler).__name__, *changed])


@pytest.fixture
def clean():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def noise():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))


def _estimate(scheduler, output, timestep, sample):
    result = scheduler.step(output, timestep, sample)
    step = {"model_output": output, "timestep": timestep, "sample": sample}
    return estimate_of(scheduler)(scheduler, step, result)


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("scheduler", NOISE, ids=_named)
def test_what_predicts_noise_or_velocity(scheduler, place, clean, noise):
    scheduler.set_timesteps(STEPS)
    timestep = scheduler.timesteps[place]
    # 1. What the scheduler makes of a result alone, and of noise alone.
    nothing = torch.zeros(SHAPE)
    alpha = scheduler.add_noise(torch.ones(SHAPE), nothing, timestep[None]).mean()
    sigma = scheduler.add_noise(nothing, torch.ones(SHAPE), timestep[None]).mean()
    # 2. What a network that knows both predicts. Its velocity is that of parts whose squares sum up to 1.
    length = (alpha**2 + sigma**2).sqrt()
    output = {"epsilon": noise, "sample": clean, "v_prediction": (alpha * noise - sigma * clean) / length}
    sample = alpha * clean + sigma * noise
    estimate = _estimate(scheduler, output[scheduler.config.prediction_type], timestep, sample)
    torch.testing.assert_close(estimate, clean, atol=2e-3, rtol=0)


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("scheduler", FLOW, ids=_named)
def test_what_predicts_a_flow(scheduler, place, clean, noise):
    scheduler.set_timesteps(STEPS)
    timestep, sigma = scheduler.timesteps[place], scheduler.sigmas[place]
    estimate = _estimate(scheduler, noise - clean, timestep, (1 - sigma) * clean + sigma * noise)
    torch.testing.assert_close(estimate, clean, atol=1e-5, rtol=0)


def test_a_flow_whose_sigmas_count_upwards(clean, noise):
    """Mochi's: 0 is noise, 1 is the result, and the network predicts the way from one to the other."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(invert_sigmas=True)
    scheduler.set_timesteps(STEPS)
    timestep, share = scheduler.timesteps[3], scheduler.sigmas[3]
    estimate = _estimate(scheduler, clean - noise, timestep, share * clean + (1 - share) * noise)
    torch.testing.assert_close(estimate, clean, atol=1e-5, rtol=0)


def test_a_flow_whose_tokens_have_times_of_their_own(clean, noise):
    """LTX's, where some frames are given: these are clean from the beginning."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(STEPS)
    sigma = torch.tensor([[0.0, 0.5, 1.0]])
    step = {"per_token_timesteps": sigma * 1000, "timestep": scheduler.timesteps[0]}
    tokens, others = clean[:, 0], noise[:, 0]
    step["sample"] = (1 - sigma[..., None]) * tokens + sigma[..., None] * others
    step["model_output"] = tokens - others
    result = scheduler.step(**step)
    torch.testing.assert_close(estimate_of(scheduler)(scheduler, step, result), tokens, atol=1e-5, rtol=0)


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("scheduler", PRECONDITIONED, ids=_named)
def test_what_predicts_a_mixture_of_result_and_noise(scheduler, place, clean, noise):
    scheduler.set_timesteps(STEPS)
    timestep, sigma, data = scheduler.timesteps[place], scheduler.sigmas[place], scheduler.config.sigma_data
    sample = clean + sigma * noise
    kept, scale = data**2 / (sigma**2 + data**2), sigma * data / (sigma**2 + data**2).sqrt()
    sign = -1 if scheduler.config.prediction_type == "v_prediction" else 1
    estimate = _estimate(scheduler, sign * (clean - kept * sample) / scale, timestep, sample)
    torch.testing.assert_close(estimate, clean, atol=1e-3, rtol=0)


def test_a_consistency_model_names_its_estimate_in_another_way(clean, noise):
    scheduler = diffusers.LCMScheduler()
    scheduler.set_timesteps(4)
    kept = scheduler.alphas_cumprod[scheduler.timesteps[1]]
    sample = kept**0.5 * clean + (1 - kept) ** 0.5 * noise
    estimate = _estimate(scheduler, noise, scheduler.timesteps[1], sample)
    torch.testing.assert_close(estimate, clean, atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", [diffusers.IPNDMScheduler, diffusers.CMStochasticIterativeScheduler])
def test_a_scheduler_of_an_unknown_kind_is_an_error(kind):
    with pytest.raises(AlignerError, match=f"{kind.__name__} does not show what a result will become"):
        estimate_of(kind())
