"""The Inception score, by hand and against torch-fidelity."""

import pytest
import torch
from torch_fidelity.metric_isc import (
    KEY_METRIC_ISC_MEAN,
    KEY_METRIC_ISC_STD,
    isc_features_to_metric,
)

from aligner.errors import AlignerError
from aligner.metrics import inception_score


def test_certain_and_varied_counts_the_classes():
    logits = 1000 * torch.eye(4).repeat(3, 1)
    assert inception_score(logits, splits=1) == pytest.approx((4, 0))


def test_what_says_nothing_scores_one():
    assert inception_score(torch.zeros(20, 7)) == pytest.approx((1, 0))
    assert inception_score(torch.tensor([[0.0, 900.0]]).repeat(20, 1)) == pytest.approx((1, 0))


@pytest.mark.parametrize("count", [20, 103])
def test_as_torch_fidelity(seeded, count):
    logits = 3 * torch.randn(count, 8, generator=seeded)
    theirs = isc_features_to_metric(logits)
    assert inception_score(logits) == pytest.approx((theirs[KEY_METRIC_ISC_MEAN], theirs[KEY_METRIC_ISC_STD]), rel=1e-9)


def test_too_few_rows_for_the_splits():
    with pytest.raises(AlignerError, match="At least 10 rows of logits"):
        inception_score(torch.zeros(9, 3))
    with pytest.raises(AlignerError, match="at least one split"):
        inception_score(torch.zeros(9, 3), splits=0)
