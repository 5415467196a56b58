"""Curves through points."""

import pytest

from aligner.errors import AlignerError
from aligner.timing.curves import ALWAYS, Curve, parse_curve


def test_straight_lines_between_points_and_level_beyond():
    curve = Curve(((1.0, 0.0), (3.0, 1.0)))
    assert [curve.at(x) for x in (0, 1, 1.5, 2, 3, 9)] == [0, 0, 0.25, 0.5, 1, 1]


def test_a_jump_takes_the_later_strength():
    curve = Curve(((1.0, 0.0), (1.0, 1.0), (2.0, 1.0), (2.0, 0.0)))
    assert [curve.at(x) for x in (0.99, 1, 1.5, 1.99, 2, 3)] == [0, 1, 1, 1, 0, 0]


def test_the_mean_is_exact_across_corners_and_jumps():
    curve = Curve(((1.0, 0.0), (2.0, 1.0), (2.0, 0.5), (4.0, 0.5)))
    assert curve.mean(0, 1) == 0 and curve.mean(1, 2) == 0.5 and curve.mean(0, 4) == pytest.approx((0.5 + 1) / 4)
    assert curve.mean(1.5, 2.5) == pytest.approx(0.5 * 0.75 + 0.5 * 0.5) and curve.mean(4, 9) == 0.5


@pytest.mark.parametrize("text", ["0: 1, 2: 0.5", "0:1\n2:0.5\n", " 0 : 1 ,\n 2 : .5,"])
def test_points_are_read_from_commas_or_lines(text):
    assert parse_curve(text) == Curve(((0.0, 1.0), (2.0, 0.5)))


@pytest.mark.parametrize("text", ["", " \n ,"])
def test_nothing_is_always(text):
    assert parse_curve(text) == ALWAYS and ALWAYS.at(100) == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("1", "'1' is not a point of a curve"),
        ("a: 1", "'a: 1' is not a point of a curve"),
        ("0: 1, 2:", "'2:' is not a point of a curve"),
        ("2: 1, 1: 0", "positions ascend"),
        ("0: -1", "0 or more, but at 0 it is -1"),
        ("0: nan", "finite"),
        ("inf: 1", "finite"),
    ],
)
def test_what_is_no_curve_is_an_error_that_says_why(text, message):
    with pytest.raises(AlignerError, match=message):
        parse_curve(text)


def test_a_curve_without_points_is_none():
    with pytest.raises(AlignerError, match="needs points"):
        Curve(())


def test_empty_is_nowhere_above_0():
    assert Curve(((0.0, 0.0), (1.0, 0.0))).empty and not Curve(((0.0, 0.0), (1.0, 0.1))).empty
