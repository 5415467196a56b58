"""The Frechet distance, by hand and against torch-fidelity."""

import pytest
import torch
from torch_fidelity.metric_fid import (
    KEY_METRIC_FID,
    fid_features_to_statistics,
    fid_statistics_to_metric,
)

from aligner.errors import AlignerError
from aligner.metrics import frechet_distance


def rows_with(mean, covariance, count: int = 50) -> torch.Tensor:
    """(count, d) whose mean and unbiased covariance are exactly these."""
    mean, covariance = torch.tensor(mean, dtype=torch.float64), torch.tensor(covariance, dtype=torch.float64)
    noise = torch.randn(count, len(mean), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    noise = noise - noise.mean(dim=0)
    white = noise @ torch.linalg.inv(torch.linalg.cholesky(noise.T.cov())).T
    return mean + white @ torch.linalg.cholesky(covariance).T


def test_two_known_gaussians():
    a = rows_with([0.0, 0.0], [[1.0, 0.0], [0.0, 4.0]])
    b = rows_with([3.0, 4.0], [[9.0, 0.0], [0.0, 16.0]])
    # |mean|^2 = 25, and per axis the square of the difference between the standard deviations: (1 - 3)^2 + (2 - 4)^2
    assert frechet_distance(a, b) == pytest.approx(25 + 4 + 4)
    assert frechet_distance(a, a.flip(0)) == pytest.approx(0, abs=1e-12)


def test_covariances_that_do_not_commute():
    a = rows_with([0.0, 0.0], [[2.0, 1.0], [1.0, 1.0]])
    b = rows_with([0.0, 0.0], [[1.0, 0.0], [0.0, 4.0]])
    # C_a C_b = [[2, 4], [1, 4]] has trace 6 and determinant 4, so its root has trace sqrt(6 + 2 * 2).
    assert frechet_distance(a, b) == pytest.approx(3 + 5 - 2 * 10**0.5)


@pytest.mark.parametrize("sizes", [(300, 200), (20, 12)], ids=["full rank", "fewer rows than dimensions"])
def test_as_torch_fidelity(seeded, sizes):
    a, b = (torch.randn(size, 24, generator=seeded, dtype=torch.float64) for size in sizes)
    b = 0.5 * b + 0.3
    theirs = fid_statistics_to_metric(fid_features_to_statistics(a), fid_features_to_statistics(b), verbose=False)
    assert frechet_distance(a, b) == pytest.approx(theirs[KEY_METRIC_FID], rel=1e-6)


def test_single_precision_and_large_offsets_lose_nothing(seeded):
    a, b = (torch.randn(40, 6, generator=seeded, dtype=torch.float64) for _ in range(2))
    assert frechet_distance((a + 1000).float(), (b + 1000).float()) == pytest.approx(frechet_distance(a, b), rel=1e-3)


@pytest.mark.parametrize(
    "a, b, message",
    [
        (torch.zeros(1, 3), torch.zeros(5, 3), "At least 2 rows of features"),
        (torch.zeros(5, 3), torch.zeros(5, 4), "3 and of 4 dimensions"),
        (torch.full((5, 3), torch.nan), torch.zeros(5, 3), "NaN"),
        (torch.zeros(5), torch.zeros(5), r"shape \(5,\)"),
        (torch.zeros(5, 3, dtype=torch.int64), torch.zeros(5, 3), "int64"),
    ],
)
def test_what_cannot_be_compared(a, b, message):
    with pytest.raises(AlignerError, match=message):
        frechet_distance(a, b)
