"""The kernel distance, by hand and against torch-fidelity."""

import pytest
import torch
from torch_fidelity.metric_kid import (
    KEY_METRIC_KID_MEAN,
    KEY_METRIC_KID_STD,
    kernel_mmd,
    kid_features_to_metric,
)

from aligner.errors import AlignerError
from aligner.metrics import kernel_distance, kernel_distance_over_subsets


def test_by_hand():
    a, b = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]])
    # (x y + 1)^3: within a 1 (twice), within b 3^3, between them 1, 1, 2^3 and 3^3; d = 1
    assert kernel_distance(a, b) == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)
    # gamma 2: within a 1, within b 5^3, between 1, 1, 3^3, 5^3
    assert kernel_distance(a, b, gamma=2.0) == pytest.approx(1 + 125 - 2 * (1 + 1 + 27 + 125) / 4)


def test_as_torch_fidelity(seeded):
    a, b = (torch.randn(30, 12, generator=seeded, dtype=torch.float64) for _ in range(2))
    b = b + 0.4
    assert kernel_distance(a, b) == pytest.approx(kernel_mmd(a.numpy(), b.numpy()), rel=1e-9)


def test_subsets_as_torch_fidelity(seeded):
    a, b = torch.randn(40, 12, generator=seeded).double(), torch.randn(50, 12, generator=seeded).double() + 0.4
    theirs = kid_features_to_metric(a, b, kid_subsets=7, kid_subset_size=20, rng_seed=2020, verbose=False)
    ours = kernel_distance_over_subsets(a, b, subsets=7, subset_size=20)
    assert ours == pytest.approx((theirs[KEY_METRIC_KID_MEAN], theirs[KEY_METRIC_KID_STD]), rel=1e-9)
    assert kernel_distance_over_subsets(a, b, subsets=7, subset_size=20, seed=1) != ours


def test_it_is_unbiased(seeded):
    pairs = [(torch.randn(6, 4, generator=seeded), torch.randn(6, 4, generator=seeded)) for _ in range(400)]
    distances = torch.tensor([kernel_distance(a, b) for a, b in pairs])
    assert abs(distances.mean()) < 3 * distances.std() / len(distances) ** 0.5
    assert (distances < 0).any()


def test_large_sets_are_summed_in_parts(seeded, monkeypatch):
    a, b = (torch.randn(count, 5, generator=seeded) for count in (23, 17))
    whole = kernel_distance(a, b)
    monkeypatch.setitem(kernel_distance.__globals__, "_ROWS_AT_ONCE", 4)
    assert kernel_distance(a, b) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("subsets, size", [(0, 5), (3, 1), (3, 11)])
def test_subsets_that_cannot_be_drawn(subsets, size):
    with pytest.raises(AlignerError, match=f"{subsets} subsets of {size} features cannot be drawn from 10 and 12"):
        kernel_distance_over_subsets(torch.zeros(10, 3), torch.zeros(12, 3), subsets=subsets, subset_size=size)
