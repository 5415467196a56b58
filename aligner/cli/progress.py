"""A progress bar on a terminal, and lines now and then where the output goes to a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..guidance.rule import Step

#: The bar counts per cent of the run: candidates take steps of their own.
FORMAT = "{desc}: {percentage:3.0f} %|{bar}| {elapsed}, {remaining} left{postfix}"
#: A line of a log, and the seconds between two of them.
LINE, PAUSE = "{desc}: {percentage:.0f} %, {elapsed} passed, {remaining} left{postfix}", 15.0

#: What hears of progress in place of a bar.
_listener: ContextVar[Callable[[float], None] | None] = ContextVar("listener", default=None)


@contextmanager
def following(listener: Callable[[float], None]) -> Iterator[None]:
    """Within the context generations show no bar of their own: the listener gets the part of each that has passed."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def progress_bar(description: str = "sampling") -> Iterator[Callable[[Step], None]]:
    """Yields the callback that a generation calls after every step."""
    listener = _listener.get()
    if listener:
        yield lambda step: listener(step.passed)
        return
    # The delay keeps the bar off the screen when a request is refused before its first step.
    with bar(total=100, desc=description, delay=0.01, bar_format=FORMAT) as shown:

        def on_step(step: Step) -> None:
            if step.alignment:
                shown.set_postfix(loss=f"{step.alignment.loss.mean().item():.3f}", refresh=False)
            shown.update(100 * step.passed - shown.n)

        yield on_step


def bar(*arguments: Any, **options: Any) -> Any:
    """The bar of tqdm, which takes these arguments, a desc among them.

    A log gets LINE every PAUSE, and at the end of what took longer.
    """
    from tqdm import tqdm

    if not sys.stderr.isatty():
        options |= {"file": _Log(), "bar_format": LINE, "mininterval": PAUSE, "maxinterval": PAUSE}
        options["desc"] = options["desc"].rstrip()  # bars are aligned by blanks
    return tqdm(*arguments, **options)


class _Log:
    """A file for tqdm. It writes over its line again and again; here every state has a line of its own."""

    def __init__(self):
        self._last = ""

    def write(self, text: str) -> None:
        line = text.strip()
        if line and line != self._last:
            self._last = line
            sys.stderr.write(f"{line}\n")

    def flush(self) -> None:
        sys.stderr.flush()
