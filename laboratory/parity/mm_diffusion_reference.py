"""The authors' MM-Diffusion, made comparable: our shifts instead of random ones, and float64 throughout.

Frames come before channels in their videos.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from aligner.generators.base import Streams
from aligner.generators.mm_diffusion import STREAMS

from .mm_diffusion import (
    DDIM_STEPS,
    SCALE,
    SMALL,
    SOLVER_STEPS,
    TIMESTEP,
    direction,
    named,
    recording,
    shifts,
    small_network,
    start,
)
from .reference_code import reference_module


def theirs(folder: Path) -> dict[str, torch.Tensor]:
    """What the authors' code in a folder makes, by the names that `mm_diffusion.ours` uses."""
    sys.path.insert(0, str(folder))
    network = _network()
    return {
        **_predicted(network),
        **named("dpm-solver", _solved(network)),
        **named("dpm-solver-clean", _solved(network, denoise=True)),
        **named("ddim", _sampled(network)),
        **{
            name: each
            for given in STREAMS
            for way, scale in (("replaced", 0.0), ("reconstructed", SCALE))
            for name, each in named(way, _given(network, scale, given)).items()
        },
    }


def checkpointing_error(folder: Path) -> float:
    """How far their gradients are from the right ones, in parts of them, where their checkpointing recomputes layers.

    The recomputed layers draw other shifts than the forward pass.
    """
    sys.path.insert(0, str(folder))
    network, theirs = _network(own_shifts=True), reference_module("nn").checkpoint

    def gradient() -> torch.Tensor:
        random.randint = random.Random(0).randint
        return torch.cat([each.flatten() for name, each in _predicted(network).items() if name.startswith("gradient")])

    right = gradient()
    reference_module("multimodal_unet").checkpoint = lambda *each: theirs(*each[:-1], True)
    return ((gradient() - right).norm() / right.norm()).item()


def _network(own_shifts: bool = False) -> Any:
    module = reference_module("multimodal_unet")
    embedding = module.timestep_embedding
    module.timestep_embedding = lambda timesteps, width: embedding(timesteps, width).double()
    # Their backward pass draws other shifts than the forward pass, and their norm leaves float64.
    module.checkpoint = lambda function, inputs, parameters, flag: function(*inputs)
    reference_module("nn").GroupNorm32.forward = _normalized
    levels = [2**level for level, window in enumerate(SMALL.windows) if window]
    network = module.MultimodalUNet(
        [SMALL.frames, 3, SMALL.side, SMALL.side],
        [1, SMALL.samples],
        SMALL.channels,
        3,
        1,
        SMALL.res_blocks,
        levels,
        [window for window in SMALL.windows if window],
        True,
        levels,
        [-1],
        channel_mult=SMALL.multipliers,
        num_heads=SMALL.heads,
        num_head_channels=SMALL.head_channels,
        use_scale_shift_norm=True,
    )
    ours = small_network()
    network.dtype = torch.float64
    network.double().eval().load_state_dict(ours.state_dict(), strict=True)
    if not own_shifts:
        network.forward = _with_our_shifts(network.forward, ours)
    return network


def _with_our_shifts(forward: Callable, ours: Any) -> Callable:
    """Their forward pass, whose random numbers are our shifts. The window of all frames draws none."""

    def shifted(video, audio, timesteps, **options):
        drawn = zip(shifts(ours, int(timesteps[0])), ours.windows)
        numbers = iter([shift for shift, window in drawn if window < SMALL.frames])
        random.randint = lambda low, high: next(numbers) if high > low else low
        return forward(video, audio, timesteps, **options)

    return shifted


def _normalized(self, x: torch.Tensor) -> torch.Tensor:
    return self.GroupNorm(x.transpose(1, 2)).transpose(1, 2) if x.dim() == 5 else self.GroupNorm(x)


def _turned(streams: Streams) -> Streams:
    """Our streams as theirs, or theirs as ours: frames and channels of the video change places."""
    return {name: each.transpose(1, 2) if name == "video" else each for name, each in streams.items()}


def _predicted(network: Any) -> dict[str, torch.Tensor]:
    leaves = {stream: each.requires_grad_() for stream, each in start().items()}
    video, audio = _turned(leaves).values()
    seen, heard = network(video, audio, torch.tensor([TIMESTEP]))
    output = _turned({"video": seen, "audio": heard})
    total = torch.stack([(output[stream] * each).sum() for stream, each in direction().items()]).sum()
    gradients = dict(zip(leaves, torch.autograd.grad(total, list(leaves.values()))))
    return named("predicted", output) | named("gradient", gradients)


def _alphas_cumprod() -> torch.Tensor:
    return torch.from_numpy(_diffusion("").alphas_cumprod)


def _solved(network: Any, denoise: bool = False) -> Streams:
    """DPM-Solver as in their multimodal_sample_sr.py. It cannot take one sample: the same one twice.

    denoise: whether one more evaluation removes what noise is left.
    """
    # In float32 the first moment is timestep 999; in float64 it is rounded down to 998.
    solver = reference_module("multimodal_dpm_solver_plus").DPM_Solver(
        model=_rounded_up(network), alphas_cumprod=_alphas_cumprod()
    )
    twice = {stream: torch.cat([each, each]) for stream, each in _turned(start()).items()}
    made = solver.sample(twice, steps=SOLVER_STEPS, order=3, skip_type="logSNR", method="singlestep", denoise=denoise)
    return {stream: each[:1] for stream, each in _turned(made).items()}


def _rounded_up(network: Any) -> Any:
    def forward(video, audio, timesteps):
        return network(video, audio, torch.where(timesteps == 998, 999, timesteps))

    forward.video_out_channels, forward.audio_out_channels = 3, 1  # type: ignore[attr-defined]
    return forward


def _diffusion(respacing: str) -> Any:
    gaussian, respace = reference_module("multimodal_gaussian_diffusion"), reference_module("multimodal_respace")
    steps = 1000
    return respace.SpacedDiffusion(
        use_timesteps=respace.space_timesteps(steps, respacing or [steps]),
        betas=gaussian.get_named_beta_schedule("linear", steps),
        model_mean_type=gaussian.ModelMeanType.EPSILON,
        model_var_type=gaussian.ModelVarType.FIXED_LARGE,
        loss_type=gaussian.LossType.MSE,
        rescale_timesteps=False,
    )


@torch.no_grad()
def _sampled(network: Any) -> Streams:
    """DDIM with respaced timesteps. Their loop ignores the noise that it is given; here its steps are taken alone."""
    diffusion, latents = _diffusion(f"ddim{DDIM_STEPS}"), _turned(start())
    for index in reversed(range(DDIM_STEPS)):
        latents = diffusion.ddim_sample(network, latents, torch.tensor([index]))["sample"]
    return _turned(latents)


def _given(network: Any, scale: float, given: str) -> Streams:
    """The other stream as in their video2audio_sample.py and audio2video_sample.py but by DDIM."""
    diffusion, latents = _diffusion(f"ddim{DDIM_STEPS}"), _turned(start())
    diffusion.p_sample = lambda model, x, t, noise, **options: diffusion.ddim_sample(model, x, t, **options)
    made = diffusion.conditional_p_sample_loop(
        network,
        {stream: each.shape for stream, each in latents.items()},
        False,
        noise=latents,
        progress=False,
        device=torch.device("cpu"),
        model_kwargs=_turned(recording(given)),
        class_scale=scale,
    )
    made = _turned({stream: each.detach() for stream, each in made.items()})
    # Their loop ends with the given stream as predicted; ours with the stream itself.
    return {stream: each for stream, each in made.items() if stream != given}
