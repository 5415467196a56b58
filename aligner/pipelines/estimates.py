"""The clean estimate: what one step of a scheduler of diffusers says of the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import torch

from ..errors import AlignerError

#: How some schedulers name the clean estimate that a step returns.
_RETURNED = ("pred_original_sample", "denoised")
#: Schedulers of flow matching, whose samples move on straight lines.
_STRAIGHT = {
    "FlowMatchEulerDiscreteScheduler",
    "FlowMatchHeunDiscreteScheduler",
    "FlowMatchLCMScheduler",
    "LTXEulerAncestralRFScheduler",
}

#: From a scheduler, the arguments of a step that it just took, and what that returned, to the clean estimate.
Estimate = Callable[[Any, Mapping[str, Any], Any], torch.Tensor]


def estimate_of(scheduler: Any) -> Estimate:
    """How the clean estimate of a scheduler is found. Raises AlignerError for a scheduler of an unknown kind."""
    if any(name in _returned(scheduler) for name in _RETURNED):
        return _as_returned
    if hasattr(scheduler, "precondition_outputs"):
        return _preconditioned
    if hasattr(scheduler, "convert_model_output"):
        return _by_noise_level
    if _STRAIGHT.intersection(base.__name__ for base in type(scheduler).__mro__):
        return _along_a_line
    if hasattr(scheduler, "alphas_cumprod") and "prediction_type" in scheduler.config:
        return _by_timestep
    raise AlignerError(
        f"The scheduler {type(scheduler).__name__} does not show what a result will become, so that candidates cannot "
        "be compared. Give the pipeline another one, such as DDIMScheduler, DPMSolverMultistepScheduler or, for flow "
        "matching, FlowMatchEulerDiscreteScheduler."
    )


def _returned(scheduler: Any) -> set[str]:
    """The names of all that a step returns, as its annotation declares it."""
    declared = get_type_hints(type(scheduler).step).get("return")
    kinds = get_args(declared) or (declared,)
    return {field.name for kind in kinds if is_dataclass(kind) for field in fields(kind)}


def _as_returned(scheduler: Any, step: Mapping[str, Any], result: Any) -> torch.Tensor:
    return next(result[name] for name in _RETURNED if name in result)


def _preconditioned(scheduler: Any, step: Mapping[str, Any], result: Any) -> torch.Tensor:
    """EDM: c_skip x + c_out F (arXiv 2206.00364, eq. 7)."""
    return scheduler.precondition_outputs(step["sample"], step["model_output"], _sigma(scheduler))


def _by_noise_level(scheduler: Any, step: Mapping[str, Any], result: Any) -> torch.Tensor:
    """Solvers such as DPM-Solver and UniPC: sigma is the noise per signal, alpha^2 + (alpha sigma)^2 = 1."""
    sigma = _sigma(scheduler)
    if scheduler.config.prediction_type == "flow_prediction":
        return step["sample"] - sigma * step["model_output"]
    alpha = (1 + sigma**2) ** -0.5
    return _clean(scheduler, step, alpha, alpha * sigma)


def _by_timestep(scheduler: Any, step: Mapping[str, Any], result: Any) -> torch.Tensor:
    """DDIM's parameterisation (arXiv 2010.02502, eq. 9)."""
    kept = scheduler.alphas_cumprod[int(step["timestep"])]
    return _clean(scheduler, step, kept**0.5, (1 - kept) ** 0.5)


def _along_a_line(scheduler: Any, step: Mapping[str, Any], result: Any) -> torch.Tensor:
    """Flow matching: one step to the end of the schedule, which is noise of 0, or of 1 where sigmas count upwards."""
    sample = step["sample"].to(torch.float32)
    per_token = step.get("per_token_timesteps")
    if per_token is not None:
        return sample + (per_token / scheduler.config.num_train_timesteps)[..., None] * step["model_output"]
    return sample + (scheduler.sigmas[-1] - _sigma(scheduler)) * step["model_output"]


def _clean(scheduler: Any, step: Mapping[str, Any], alpha: Any, sigma: Any) -> torch.Tensor:
    """Solve x = alpha x0 + sigma noise for x0, by what the network predicts."""
    sample, output = step["sample"], step["model_output"]
    predicted = scheduler.config.prediction_type
    if predicted == "epsilon":
        return (sample - sigma * output) / alpha
    if predicted == "v_prediction":
        return alpha * sample - sigma * output
    if predicted == "sample":
        return output
    raise AlignerError(f"The scheduler {type(scheduler).__name__} predicts {predicted}, which is unknown here.")


def _sigma(scheduler: Any) -> torch.Tensor:
    """The level of noise at which the step began."""
    return scheduler.sigmas[scheduler.step_index - 1]
