"""Long work in parts, such as windows and clips: between them a host sees how far it is, and may end it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

#: Takes the number of parts that are done and the number of all.
Listener = Callable[[int, int], None]
Part = TypeVar("Part")


def _nobody(done: int, total: int) -> None:
    pass


_listener: ContextVar[Listener] = ContextVar("listener", default=_nobody)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within the context `listener` is called before every part of long work in this thread, and after the last one.

    An exception that it raises ends the work.

    Example:
        with listening(lambda done, total: print(f"{done} of {total}")):
            audio_condition(binder, waveform, 16000)
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def reached(done: int, total: int) -> None:
    """Say how many parts of long work are done."""
    _listener.get()(done, total)


def in_parts(parts: Sequence[Part]) -> Iterator[Part]:
    """The parts of long work, one after the other. A single part is no progress."""
    if len(parts) < 2:
        yield from parts
        return
    for done, part in enumerate(parts):
        reached(done, len(parts))
        yield part
    reached(len(parts), len(parts))
