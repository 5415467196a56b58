"""Bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from ..errors import AlignerError


class ConfidenceInterval(NamedTuple):
    """A confidence interval from `low` to `high`."""

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
) -> ConfidenceInterval:
    """The percentile bootstrap interval of a statistic (Efron 1979). The same seed gives the same interval.

    The interval is too narrow for few samples, and of zero width for one.

    rows: (N, ...), one entry per sample; booleans count as 0 and 1. statistic: maps (N, ...) rows, drawn with
    replacement, to one number; to resample several tensors together, pass torch.arange(N) as rows and let the
    statistic index them. level: of confidence, between 0 and 1. resamples: at least 1.

    Raises AlignerError for no samples, a level outside 0..1, or no resamples.

    Example:
        low, high = bootstrap_interval(scores)
    """
    if not len(rows):
        raise AlignerError("There are no samples to compute a confidence interval from. Give at least one.")
    if not 0 < level < 1 or resamples < 1:
        raise AlignerError(
            "A confidence interval needs a confidence level between 0 and 1 and at least one resample, not level "
            f"{level} and {resamples} resamples."
        )
    rows = rows.detach().cpu()
    rows = rows.double() if rows.is_floating_point() or rows.dtype == torch.bool else rows
    chosen = torch.randint(len(rows), (resamples, len(rows)), generator=torch.Generator().manual_seed(seed))
    values = torch.tensor([float(statistic(rows[picks])) for picks in chosen], dtype=torch.float64)
    tails = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    return ConfidenceInterval(*values.quantile(tails).tolist())
