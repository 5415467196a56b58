"""A last evaluation that removes the noise that a sampler leaves: `denoise` in the code of DPM-Solver.

A solver in the logarithm of the signal-to-noise ratio ends where training begins, at sigma 0.01. In a sound that is a
hiss of -40 dB. The clean estimate of one more evaluation is (x - sigma noise) / alpha.
"""

from __future__ import annotations

import torch

from ...errors import AlignerError
from ..base import Streams
from .dpm_solver import DPMSolver
from .sampler import CLEAN, Evaluate, Moment, Sampler


def cleaned_dpm_solver(alphas_cumprod: torch.Tensor, evaluations: int) -> Cleaned:
    """DPM-Solver whose last evaluation cleans. Raises AlignerError for fewer than 2 evaluations."""
    if evaluations < 2:
        raise AlignerError("dpm-solver-clean takes 2 steps or more. Take more, or choose dpm-solver.")
    return Cleaned(DPMSolver(alphas_cumprod, evaluations - 1))


class Cleaned:
    """A sampler whose last step ends with the clean estimate. That step evaluates the network once more."""

    def __init__(self, sampler: Sampler):
        self.sampler = sampler

    @property
    def steps(self) -> int:
        return self.sampler.steps

    @property
    def most_evaluations(self) -> int:
        return self.sampler.most_evaluations

    def moment(self, index: int) -> Moment:
        return CLEAN if index == self.steps else self.sampler.moment(index)

    def step(self, latents: Streams, noise: Streams, index: int, evaluate: Evaluate) -> Streams:
        moved = self.sampler.step(latents, noise, index, evaluate)
        if index + 1 < self.steps:
            return moved
        end = self.sampler.moment(self.steps)
        left = evaluate(moved, end)
        return {stream: (latent - end.sigma * left[stream]) / end.alpha for stream, latent in moved.items()}
