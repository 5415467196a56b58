"""The time left of a run, with a clock that the tests move."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "nodes" / "host" / "time_left.py"
spec = importlib.util.spec_from_file_location("time_left", FILE)
time_left = importlib.util.module_from_spec(spec)
spec.loader.exec_module(time_left)


class Run:
    """A run with a clock."""

    def __init__(self) -> None:
        self.now, self.said, self.logged = 100.0, [], []
        self.left = time_left.TimeLeft(self.said.append, self.logged.append, lambda: self.now)

    def steps(self, count: int, total: int, seconds: float, before: int = 0) -> None:
        for step in range(before, before + count):
            self.now += seconds
            self.left.step((step + 1) / total)


@pytest.fixture
def run() -> Run:
    return Run()


def test_below_a_minute_nothing_is_said(run):
    run.steps(100, 100, 0.59)
    run.left.end()
    assert run.said == run.logged == []


def test_above_a_minute_the_time_left_is_said_and_logged_once(run):
    run.steps(100, 100, 2)
    run.left.end()
    assert run.said[0] == "about 3 min 12 s left", "four steps are measured: three after the first"
    assert run.logged == run.said[:1]
    assert run.said[-2:] == ["less than a minute left", "took 3 min 20 s"]


def test_a_run_that_fails_is_not_said_to_be_done(run):
    run.steps(10, 100, 2)
    run.left.end(finished=False)
    assert run.said[-1] == "ended after 20 s"


def test_the_text_changes_at_most_every_few_seconds(run):
    run.steps(1000, 1000, 0.5)
    assert 1000 * 0.5 / 3 * 0.8 < len(run.said) <= 1000 * 0.5 / 3 + 1


def test_the_first_step_and_a_choice_are_no_measure(run):
    """The first step waits for models, and a choice renders all candidates."""
    run.steps(1, 100, 50)
    run.steps(9, 100, 1, before=1)
    assert run.said[0] == "about 1 min 36 s left"
    run.now += 30
    run.left.step(0.10)
    assert run.said[-1] == "about 1 min 30 s left"


def test_slower_steps_after_a_search_are_noticed(run):
    run.steps(50, 100, 1)
    assert not run.said or run.said[-1] == "less than a minute left"
    run.steps(9, 100, 10, before=50)
    assert run.said[-1] == "about 6 min 50 s left"


def test_the_windows_of_a_long_first_step_are_measured(run):
    for window in range(20):
        run.left.part(window, 20, 30)
        run.now += 6
    assert run.said[0] == "at least 59 min left"  # 30 steps of 120 s less what has passed
    run.left.part(20, 20, 30)
    run.left.part(1, 20, 30)  # a step may use its windows again
    assert run.said[-1].startswith("at least 58 min")
    run.steps(4, 120, 120)
    assert run.said[-1] == "about 3 h 52 min left"


def test_the_time_goes_down_between_two_steps(run):
    run.steps(4, 10, 60)
    run.now += 30
    run.left.part(1, 2, 10)
    assert run.said[-2:] == ["about 6 min left", "about 5 min 30 s left"]


def test_a_run_that_begins_again_is_measured_again(run):
    run.steps(5, 10, 30)
    run.steps(5, 10, 60)
    assert run.said[-1] == "about 5 min left"


@pytest.mark.parametrize(
    "seconds, words",
    [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (725, "12 min"), (7530, "2 h 5 min")],
)
def test_times_are_said_as_people_say_them(seconds, words):
    assert time_left.in_words(seconds) == words
