"""Bootstrap: how far a figure would move with other samples of the same kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from ..errors import AlignerError


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def _mean(rows: torch.Tensor) -> torch.Tensor:
    return rows.double().mean()


def bootstrap_interval(
    rows: torch.Tensor,
    statistic: Callable[[torch.Tensor], torch.Tensor | float] = _mean,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The percentile bootstrap interval of a statistic of samples (Efron 1979).

    rows: (N, ...), one entry per sample; truth values count as 0 and 1. statistic: of (N, ...) rows drawn with
    replacement, one number. For several tensors at once let rows be torch.arange(N) and the statistic index them. The
    same seed gives the same interval. Few samples give one that is too narrow, and one sample gives no width at all.

    Raises AlignerError without samples, or for a level outside 0..1 or no resamples.
    """
    if not len(rows):
        raise AlignerError("A confidence interval of nothing cannot be given: there are no samples.")
    if not 0 < level < 1 or resamples < 1:
        raise AlignerError(
            "A confidence level must lie between 0 and 1 and come from at least one resample, not be "
            f"{level} from {resamples}."
        )
    rows = rows.detach().cpu()
    rows = rows.double() if rows.is_floating_point() or rows.dtype == torch.bool else rows
    chosen = torch.randint(len(rows), (resamples, len(rows)), generator=torch.Generator().manual_seed(seed))
    values = torch.tensor([float(statistic(rows[picks])) for picks in chosen], dtype=torch.float64)
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    return Interval(*values.quantile(tails).tolist())
