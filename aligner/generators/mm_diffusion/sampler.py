"""What the denoiser asks of a way to sample: moments, and a step from one to the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from ..base import Streams


class Moment(NamedTuple):
    """A moment of the schedule.

    alpha, sigma: x_t = alpha x_0 + sigma noise. timestep: what the network is given.
    """

    alpha: float
    sigma: float
    timestep: int

    @property
    def log_ratio(self) -> float:
        """lambda, half of the logarithm of the signal-to-noise ratio."""
        return math.log(self.alpha / self.sigma)


#: The end of a run that leaves no noise.
CLEAN = Moment(1.0, 0.0, 0)
#: Predicts the noise in latents at a moment of the present step.
Evaluate = Callable[[Streams, Moment], Streams]


class Sampler(Protocol):
    """A schedule for a number of evaluations of the network."""

    @property
    def steps(self) -> int:
        """How many steps are taken. One step may evaluate the network several times."""

    @property
    def most_evaluations(self) -> int:
        """Of the network in one step, the last one aside: nothing passes back through it."""

    def moment(self, index: int) -> Moment:
        """The moment at which step `index` begins; that of the end for `steps`."""

    def step(self, latents: Streams, noise: Streams, index: int, evaluate: Evaluate) -> Streams:
        """The latents after step `index`. noise: predicted for its beginning."""
