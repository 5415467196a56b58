"""KL divergence between class predictions for results and references."""

import math

import pytest
import torch

from aligner.errors import AlignerError
from aligner.metrics import kl_divergence


def test_two_known_distributions():
    generated, reference = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
    assert kl_divergence(generated, reference, eps=0) == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2))
    assert kl_divergence(reference, generated, eps=0) == pytest.approx(0.5 * math.log(5 / 9) + 0.5 * math.log(5))


def test_eps_keeps_a_class_that_the_result_lacks_finite():
    generated, reference = torch.tensor([[1000.0, 0.0]]), torch.tensor([[0.0, 1000.0]])
    assert kl_divergence(generated, reference) == pytest.approx(-math.log(1e-6))
    assert kl_divergence(reference, reference) == pytest.approx(-math.log(1 + 1e-6))


def test_the_mean_is_over_samples(seeded):
    generated, reference = (torch.randn(5, 9, generator=seeded) for _ in range(2))
    each = [kl_divergence(generated[[row]], reference[[row]]) for row in range(5)]
    assert kl_divergence(generated, reference) == pytest.approx(sum(each) / 5)


def test_as_torch(seeded):
    generated, reference = (torch.randn(5, 9, generator=seeded, dtype=torch.float64) for _ in range(2))
    published = torch.nn.functional.kl_div(
        (generated.softmax(dim=1) + 1e-6).log(), reference.softmax(dim=1), reduction="batchmean"
    )
    assert kl_divergence(generated, reference) == pytest.approx(published.item(), rel=1e-12)


def test_what_does_not_belong_together():
    with pytest.raises(AlignerError, match=r"\(2, 3\) and \(3, 3\)"):
        kl_divergence(torch.zeros(2, 3), torch.zeros(3, 3))
    with pytest.raises(AlignerError, match="eps"):
        kl_divergence(torch.zeros(2, 3), torch.zeros(2, 3), eps=-1e-6)
