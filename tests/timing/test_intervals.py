"""Intervals of seconds."""

import math

import pytest

from aligner.timing.intervals import WHOLE, Interval


@pytest.mark.parametrize(
    "span, share", [((0.0, 1.0), 0.0), ((0.5, 1.5), 0.5), ((1.0, 3.0), 1.0), ((2.0, 6.0), 0.5), ((4.0, 5.0), 0.0)]
)
def test_a_span_lies_in_an_interval_by_a_share(span, share):
    assert Interval(1.0, 4.0).share(span) == share


def test_an_interval_holds_the_spans_whose_middle_it_holds():
    assert [Interval(1.0, 2.0).holds((start, start + 1)) for start in (0.4, 0.5, 1.4, 1.5)] == [
        False,
        True,
        True,
        False,
    ]


def test_an_interval_without_an_end_reaches_as_far_as_needed():
    assert Interval(3.0).until == math.inf and Interval(3.0).share((1e6, 1e6 + 1)) == 1
    assert WHOLE.share((0.0, 9.0)) == 1 and WHOLE.holds((0.0, 0.1))


def test_an_interval_reads_as_people_say_it():
    assert (str(Interval(0.5, 2.0)), str(Interval(3.0))) == ("0.5 s to 2 s", "3 s to the end")
