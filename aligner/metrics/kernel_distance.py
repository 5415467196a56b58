"""Kernel distance: the squared maximum mean discrepancy (MMD) of two sets of features."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..errors import AlignerError
from .features import checked_sets

#: The seed of torch-fidelity and of the published tables, for numpy's legacy generator.
SEED = 2020

#: Rows of a kernel matrix in memory at the same time.
_ROWS_AT_ONCE = 1024


class KernelDistance(NamedTuple):
    """Mean and standard deviation over subsets."""

    mean: float
    std: float


def kernel_distance(a: torch.Tensor, b: torch.Tensor, *, gamma: float | None = None) -> float:
    """The unbiased estimate of MMD^2 with the cubic kernel (gamma x'y + 1)^3.

    See Binkowski et al. (arXiv 1801.01401). KID and KVD are this distance on the features of different networks.
    Unlike the Frechet distance its expectation does not depend on the size of the sets. For equal distributions it can
    be slightly negative.

    a, b: features (N, d) and (M, d). gamma: 1 / d by default.
    Raises AlignerError for fewer than 2 rows, different widths, or values that are not finite.
    """
    a, b = checked_sets(a, b, least=2)
    gamma = 1 / a.shape[1] if gamma is None else gamma
    return (
        _mean_kernel_within(a, gamma) + _mean_kernel_within(b, gamma) - 2 * _kernel_sum(a, b, gamma) / (len(a) * len(b))
    )


def kernel_distance_over_subsets(
    a: torch.Tensor,
    b: torch.Tensor,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    gamma: float | None = None,
    seed: int = SEED,
) -> KernelDistance:
    """Mean and standard deviation of `kernel_distance` over random subsets, drawn without replacement.

    The result equals torch-fidelity's KID to the last digit: same defaults, seed and subsets. The subsets come from
    numpy's legacy generator, whose stream is frozen. The standard deviation divides by `subsets`, not `subsets` - 1.

    Raises AlignerError as `kernel_distance` does, and if a set is smaller than a subset.
    """
    from numpy.random import RandomState

    a, b = checked_sets(a, b, least=2)
    if subsets < 1 or not 2 <= subset_size <= min(len(a), len(b)):
        raise AlignerError(
            f"{subsets} subsets of {subset_size} features cannot be drawn from {len(a)} and {len(b)}: "
            "use at least one subset, and a size from 2 to that of the smaller set."
        )
    random = RandomState(seed)

    def subset(rows: torch.Tensor) -> torch.Tensor:
        return rows[torch.from_numpy(random.choice(len(rows), subset_size, replace=False))]

    distances = torch.tensor(
        [kernel_distance(subset(a), subset(b), gamma=gamma) for _ in range(subsets)], dtype=torch.float64
    )
    return KernelDistance(distances.mean().item(), distances.std(correction=0).item())


def _mean_kernel_within(rows: torch.Tensor, gamma: float) -> float:
    """The mean kernel of all pairs of different rows. The diagonal would bias the estimate."""
    diagonal = (gamma * rows.square().sum(dim=1) + 1).pow(3).sum().item()
    return (_kernel_sum(rows, rows, gamma) - diagonal) / (len(rows) * (len(rows) - 1))


def _kernel_sum(a: torch.Tensor, b: torch.Tensor, gamma: float) -> float:
    return sum((gamma * rows @ b.T + 1).pow(3).sum().item() for rows in a.split(_ROWS_AT_ONCE))
