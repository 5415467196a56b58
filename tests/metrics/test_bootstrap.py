"""Bootstrap intervals."""

import pytest
import torch

from aligner.errors import AlignerError
from aligner.metrics import bootstrap_interval, frechet_distance


def test_as_wide_as_the_standard_error_says(seeded):
    values = 5 + 2 * torch.randn(400, generator=seeded)
    error = values.std().item() / 20
    low, high = bootstrap_interval(values)
    assert low == pytest.approx(values.mean().item() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(values.mean().item() + 1.96 * error, abs=0.1 * error)
    low, high = bootstrap_interval(values, level=0.5)
    assert high - low == pytest.approx(2 * 0.6745 * error, rel=0.1)


def test_every_resample_of_two_samples():
    # Among (0, 0), (0, 1), (1, 0) and (1, 1) a quarter has the mean 0 and a quarter the mean 1.
    assert bootstrap_interval(torch.tensor([0.0, 1.0]), level=0.4) == pytest.approx((0.5, 0.5))
    assert bootstrap_interval(torch.tensor([False, True]), level=0.6) == pytest.approx((0, 1))


def test_whole_numbers_have_a_mean_too():
    counts = torch.tensor([1, 2, 3, 4])
    assert bootstrap_interval(counts) == bootstrap_interval(counts.double())


def test_same_seed_same_interval(seeded):
    values = torch.randn(30, generator=seeded)
    first = bootstrap_interval(values, seed=4)
    assert first == bootstrap_interval(values, seed=4) != bootstrap_interval(values, seed=5)


def test_any_statistic_of_rows(seeded):
    rows = torch.randn(40, 3, generator=seeded)
    low, high = bootstrap_interval(rows, lambda drawn: drawn.max())
    assert low < high == pytest.approx(rows.max().item())
    others = torch.randn(40, 3, generator=seeded) + 5
    low, high = bootstrap_interval(
        torch.arange(40), lambda drawn: frechet_distance(rows[drawn], others[drawn]), resamples=50
    )
    assert 50 < low < high < 100  # 3 * 5^2 = 75


def test_one_sample_has_no_width_and_none_no_interval():
    assert bootstrap_interval(torch.tensor([0.25])) == (0.25, 0.25)
    with pytest.raises(AlignerError, match="no samples"):
        bootstrap_interval(torch.zeros(0))


@pytest.mark.parametrize("options", [{"level": 1.0}, {"level": 0.0}, {"resamples": 0}])
def test_what_makes_no_interval(options):
    with pytest.raises(AlignerError, match="confidence level"):
        bootstrap_interval(torch.zeros(3), **options)
