"""Progress on a terminal and in a log."""

from __future__ import annotations

import io
import sys
import time

import pytest

from aligner.cli import progress
from aligner.cli.progress import progress_bar
from aligner.guidance.rule import Step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(steps: int = 8) -> None:
    with progress_bar() as on_step:
        for index in range(steps):
            time.sleep(0.02)
            on_step(Step(index, (index + 1) / steps, {}))


@pytest.fixture
def written(monkeypatch):
    """Runs on an output and returns what it holds."""

    def on(output: io.StringIO) -> str:
        monkeypatch.setattr(sys, "stderr", output)
        run()
        return output.getvalue()

    return on


@pytest.mark.parametrize("pause, fewest, most", [(0.0, 7, 9), (0.05, 2, 9), (30.0, 0, 0)])
def test_a_log_gets_a_whole_line_now_and_then(written, monkeypatch, pause, fewest, most):
    monkeypatch.setattr(progress, "PAUSE", pause)
    text = written(io.StringIO())
    lines = text.splitlines()
    assert fewest <= len(lines) <= most and len(set(lines)) == len(lines)
    assert "\r" not in text and "|" not in text
    assert all(line.startswith("sampling: 100 %, 00:00 passed") for line in lines[-1:])


def test_a_terminal_has_a_bar(written):
    text = written(Terminal())
    assert "\r" in text and "sampling: 100 %|" in text
