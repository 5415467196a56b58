"""DPM-Solver (arXiv 2206.00927), singlestep, for a network that predicts noise: as MM-Diffusion was published.

With lambda = log(alpha / sigma), h = lambda_t - lambda_s, phi_1 = e^h - 1 and phi_2 = phi_1 / h - 1, a step of order 3
(algorithm 2) is

    x_s1 = alpha_s1/alpha_s x - sigma_s1 (e^(r1 h) - 1) e_s
    x_s2 = alpha_s2/alpha_s x - sigma_s2 (e^(r2 h) - 1) e_s - r2/r1 sigma_s2 ((e^(r2 h) - 1)/(r2 h) - 1) (e_s1 - e_s)
    x_t  = alpha_t/alpha_s x - sigma_t phi_1 e_s - 1/r2 sigma_t phi_2 (e_s2 - e_s)

where e is the predicted noise. Orders 2 (algorithm 1) and 1 (DDIM) end a run where evaluations remain.

A step keeps nothing for the next one, so that a search may hold several states side by side. Schedulers of libraries
keep a history.
"""

from __future__ import annotations

import math

import numpy
import torch

from ..base import Streams
from .sampler import Evaluate, Moment


class DPMSolver:
    """A schedule of `evaluations` of the network, evenly spaced in lambda.

    alphas_cumprod: (N,) of the training schedule, which is continued between its moments.
    """

    def __init__(self, alphas_cumprod: torch.Tensor, evaluations: int):
        logarithms = 0.5 * alphas_cumprod.double().log().numpy()
        first, last = (math.log(math.exp(each) / math.sqrt(-math.expm1(2 * each))) for each in logarithms[[-1, 0]])
        ratios = numpy.linspace(first, last, evaluations + 1)
        self._moments = [_moment(ratio, logarithms) for ratio in ratios]
        self._orders = _orders(evaluations)

    @property
    def steps(self) -> int:
        """How many steps are taken: each of up to three evaluations."""
        return len(self._orders)

    @property
    def most_evaluations(self) -> int:
        return max(self._orders)

    def moment(self, index: int) -> Moment:
        """The moment at which step `index` begins; that of the end for `steps`."""
        return self._moments[sum(self._orders[:index])]

    def step(self, latents: Streams, noise: Streams, index: int, evaluate: Evaluate) -> Streams:
        """The latents after step `index`. noise: predicted for its beginning."""
        first, order = sum(self._orders[:index]), self._orders[index]
        start, *between, end = self._moments[first : first + order + 1]
        h = end.log_ratio - start.log_ratio
        if order == 1:
            return _moved(latents, noise, start, end)
        # 1. The noise at the first moment between.
        middle = between[0]
        r1 = (middle.log_ratio - start.log_ratio) / h
        noise_1 = evaluate(_moved(latents, noise, start, middle), middle)
        if order == 2:
            return _moved(latents, noise, start, end, noise_1, 0.5 / r1 * math.expm1(h))
        # 2. The noise at the second one.
        later = between[1]
        r2 = (later.log_ratio - start.log_ratio) / h
        bent = r2 / r1 * (math.expm1(r2 * h) / (r2 * h) - 1)
        noise_2 = evaluate(_moved(latents, noise, start, later, noise_1, bent), later)
        # 3. The whole step.
        return _moved(latents, noise, start, end, noise_2, (math.expm1(h) / h - 1) / r2)


def _moved(
    latents: Streams, noise: Streams, start: Moment, end: Moment, later: Streams | None = None, bend: float = 0.0
) -> Streams:
    """alpha_t/alpha_s x - sigma_t ((e^h - 1) eps + bend (later - eps))."""
    straight = math.expm1(end.log_ratio - start.log_ratio)
    moved = {}
    for stream, latent in latents.items():
        direction = straight * noise[stream]
        if later is not None:
            direction = direction + bend * (later[stream] - noise[stream])
        moved[stream] = end.alpha / start.alpha * latent - end.sigma * direction
    return moved


def _moment(ratio: float, logarithms: numpy.ndarray) -> Moment:
    """The moment of a lambda. logarithms: log alpha at the N moments of training, which fall."""
    log_alpha = -0.5 * float(numpy.logaddexp(0.0, -2 * ratio))
    count = len(logarithms)
    place = float(numpy.interp(log_alpha, logarithms[::-1], numpy.arange(count)[::-1]))
    # As published, the network is given a whole timestep, rounded down.
    return Moment(math.exp(log_alpha), math.sqrt(-math.expm1(2 * log_alpha)), int(place + 1e-6))


def _orders(evaluations: int) -> list[int]:
    """Steps of three evaluations, and what remains in shorter ones."""
    threes, rest = divmod(evaluations, 3)
    if rest == 0 and threes:
        return [3] * (threes - 1) + [2, 1]
    return [3] * threes + ([rest] if rest else [])
