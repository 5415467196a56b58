"""Ranking of candidates."""

import math

import pytest

from aligner.errors import AlignerError
from aligner.metrics.ranking import ranked, ranking_report


def test_the_first_score_decides_and_the_second_between_equals():
    assert ranked({"timing": [0.5, 1.0, 0.5, 0.5], "match": [0.1, 0.0, 0.3, 0.1]}) == [1, 2, 0, 3]


def test_what_is_not_a_number_is_worst():
    assert ranked({"timing": [math.nan, -1.0]}) == [1, 0]


def test_the_report_counts_from_1():
    scores = {"timing": [0.25, 1.0], "match": [0.5, -0.5]}
    assert ranking_report(scores, ranked(scores)).splitlines() == [
        "2: timing 1.000, match -0.500",
        "1: timing 0.250, match 0.500",
    ]


def test_the_report_says_when_a_binder_judges_fairly():
    *_, last = ranking_report({"ImageBind": [0.5]}, [0], "ImageBind").splitlines()
    assert last.startswith("Where ImageBind steered, it rates its own work.")


def test_without_a_score_it_is_an_error():
    with pytest.raises(AlignerError, match="nothing to rank by"):
        ranked({})
