"""A last evaluation that removes the noise that a sampler leaves: `denoise` in the code of DPM-Solver.

A solver in the logarithm of the signal-to-noise ratio ends where training begins, at sigma 0.01. In a sound that is a
hiss of -40 dB. The clean estimate of one more evaluation is (x - sigma noise) / alpha.
"""

from __future__ import annotations

from ..base import Streams
from .sampler import Evaluate, Moment, Sampler


class Cleaned:
    """A sampler whose result is the clean estimate at its end. It evaluates the network once more."""

    def __init__(self, sampler: Sampler):
        self.sampler = sampler

    @property
    def steps(self) -> int:
        return self.sampler.steps + 1

    @property
    def most_evaluations(self) -> int:
        return max(self.sampler.most_evaluations, 1)

    def moment(self, index: int) -> Moment:
        return Moment(1.0, 0.0, 0) if index == self.steps else self.sampler.moment(index)

    def step(self, latents: Streams, noise: Streams, index: int, evaluate: Evaluate) -> Streams:
        if index < self.sampler.steps:
            return self.sampler.step(latents, noise, index, evaluate)
        end = self.sampler.moment(index)
        return {stream: (latent - end.sigma * noise[stream]) / end.alpha for stream, latent in latents.items()}
