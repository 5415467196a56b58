"""Bind scores."""

import pytest
import torch

from aligner.errors import AlignerError
from aligner.metrics import bind_score, bind_scores


def test_the_cosine_of_each_pair_whatever_its_length():
    a = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
    b = torch.tensor([[20.0, 0.0], [0.0, -7.0], [4.0, 3.0]])
    assert bind_scores(a, b).tolist() == pytest.approx([1, -1, 24 / 25])
    assert bind_score(a, b) == pytest.approx(24 / 75)


def test_pairs_must_be_pairs():
    with pytest.raises(AlignerError, match=r"\(2, 3\) and \(1, 3\)"):
        bind_scores(torch.ones(2, 3), torch.ones(1, 3))
