"""One rule yields the loss of every task of the paper."""

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.conditions.condition import Condition, label_conditions
from aligner.errors import AlignerError
from aligner.guidance.pairs import pairs


def _conditions(*modalities, weight=1.0):
    embeddings = [Embedding(torch.ones(1, 1, 2), None, modality, "binder") for modality in modalities]
    return label_conditions(Condition(embedding, weight) for embedding in embeddings)


@pytest.mark.parametrize(
    "streams, given, expected",
    [
        (("audio",), ("video", "text"), {("audio", "video"), ("audio", "text")}),
        (("audio",), ("image", "text"), {("audio", "image"), ("audio", "text")}),
        (("video",), ("audio", "text"), {("video", "audio"), ("video", "text")}),
        (("video", "audio"), ("text",), {("video", "text"), ("video", "audio"), ("audio", "text")}),
        (("video", "audio"), (), {("video", "audio")}),
    ],
)
def test_pairs_of_the_paper(streams, given, expected):
    found = pairs(streams, _conditions(*given))
    assert {(pair.stream, pair.target) for pair in found} == expected
    assert all(pair.given == (pair.target not in streams) for pair in found)


def test_weights_are_carried_and_zero_weights_left_out():
    conditions = _conditions("video", weight=-0.5) | _conditions("text", weight=0.0)
    (pair,) = pairs(("audio",), conditions)
    assert (pair.target, pair.weight) == ("video", -0.5)


def test_all_weights_zero_is_an_error_that_says_so():
    with pytest.raises(AlignerError, match="every condition has weight 0"):
        pairs(("audio",), _conditions("video", "text", weight=0.0))


def test_no_condition_is_an_error_that_says_so():
    with pytest.raises(AlignerError, match="no condition"):
        pairs(("audio",), {})


def test_two_conditions_of_one_modality_keep_their_names_apart():
    assert list(_conditions("text", "text", "video")) == ["text", "text 2", "video"]


def test_a_weight_must_be_finite():
    with pytest.raises(AlignerError, match="finite"):
        _conditions("text", weight=float("nan"))
