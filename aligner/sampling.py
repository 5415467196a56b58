"""The guided loop: denoise by a rule. The rules are in `aligner.guidance`."""

from __future__ import annotations

import torch

from .generators.base import Streams
from .guidance.rule import Rule, Run, State


@torch.inference_mode(False)
def sample(rule: Rule, run: Run, latents: Streams, prompts: Streams) -> State:
    """Denoise latents by a rule, for any number of streams.

    latents: by stream the noisy latent of step 0. prompts: by stream the prompt embedding; all steps share it, and a
    rule may tune it. A stream that takes no step at an index keeps its latent and its clean estimate. Both are copied.

    Returns the last state: clean latents and tuned prompts. Raises AlignerError where a value stops being finite;
    whatever the run's callback raises ends it.
    """
    state = rule.begin(run, _copies(latents), _copies(prompts))
    for index in range(run.denoiser.steps):
        state = rule.step(run, state, index)
    return state


def _copies(tensors: Streams) -> Streams:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
