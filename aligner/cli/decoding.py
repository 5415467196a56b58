"""How well approximately decoded frames led guidance."""

from __future__ import annotations

import torch

from ..generation import saving_memory
from ..generators.animatediff import STREAM
from ..generators.signals import LatentFrames
from ..guidance.approximate_decoding import gradient_cosine
from ..plan import objective_of, phases
from .steering import Outcome


def report_decoding(decoding: str, outcome: Outcome) -> None:
    """Say how well the gradient through approximate decoding agrees with the exact one, on the finished video.

    Only where a gradient moves the video, and something compares it. decoding: its name.
    """
    rule, denoiser, models = outcome.rule, outcome.denoiser, outcome.models
    if STREAM not in rule.backward(denoiser.streams):
        return
    with models.on_device(*models.sampling_parts), saving_memory(rule, denoiser, models.binder):
        # The last phase of a rule is the one that moves.
        comparison = phases(rule)[-1].comparison
        objective = objective_of(
            denoiser, models.binder, outcome.conditions, comparison, pair_weight=outcome.pair_weight
        )
        with torch.no_grad():
            rendered = denoiser.render(outcome.result.latents)
        frames = rendered[STREAM]
        if STREAM not in objective.compared or not isinstance(frames, LatentFrames):
            return
        cosine = gradient_cosine(frames, lambda look: objective({**rendered, STREAM: look}).loss).item()
    print(f"decoding {decoding}: the gradient's cosine with the exact one is {cosine:+.3f}")
