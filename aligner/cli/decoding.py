"""How well approximately decoded frames led guidance."""

from __future__ import annotations

from argparse import Namespace

import torch

from ..generation import objective_of, saving_memory
from ..generators.animatediff import STREAM
from ..guidance.approximate_decoding import gradient_cosine
from .steering import Run


def report_decoding(options: Namespace, run: Run) -> None:
    """Say how well the gradient through approximate decoding agrees with the exact one, on the finished video."""
    if options.decoding == "exact" or options.unguided or not run.guidance.moves:
        return
    saving = saving_memory(run.denoiser, run.models.binder, run.guidance)
    with run.models.on_device(*run.models.sampling_parts), saving:
        objective = objective_of(
            run.denoiser, run.models.binder, run.conditions, between=run.between, guidance=run.guidance
        )
        if not any(STREAM in (pair.stream, not pair.given and pair.target) for pair in objective.pairs):
            return  # nothing looked at the video
        with torch.no_grad():
            rendered = run.denoiser.render(run.result.latents)
        cosine = gradient_cosine(rendered[STREAM], lambda frames: objective({**rendered, STREAM: frames}).loss).item()
    print(f"decoding {options.decoding}: the gradient's cosine with the exact one is {cosine:+.3f}")
