"""Interception: for a while, other functions run in place of methods of one object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Event
from typing import Any


@contextmanager
def intercepted(target: Any, **instead: Callable) -> Iterator[None]:
    """Within the context `instead[name](object, original, *arguments)` runs in place of the method of that name.

    object: the target, or a copy that was made of it within the context. original: calls the method itself.

    The object has a class of its own meanwhile, and its attributes stay as they are. There accelerate and torch.compile
    keep hooks of their own, which may change in the middle of a call. Copies are intercepted as well.
    """
    kind, ended = type(target), Event()
    methods = {name: _intercepting(kind, getattr(kind, name), function, ended) for name, function in instead.items()}
    _become(target, type(kind.__name__, (kind,), {"__module__": kind.__module__, **methods}))
    try:
        yield
    finally:
        ended.set()
        _become(target, kind)


def _intercepting(kind: type, own: Callable, instead: Callable, ended: Event) -> Callable:
    # Pipelines look at the signature of a scheduler's step, which wraps shows.
    @wraps(own)
    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        if ended.is_set():  # in a copy that somebody keeps
            _become(self, kind)
            return own(self, *arguments, **named)

        def original(*arguments: Any, **named: Any) -> Any:
            meanwhile = type(self)
            # torch.compile compiles again for an object of another class.
            _become(self, kind)
            try:
                return own(self, *arguments, **named)
            finally:
                _become(self, meanwhile)

        return instead(self, original, *arguments, **named)

    return method


def _become(target: Any, kind: type) -> None:
    # A compiled module passes its attributes on to the module that it compiled.
    object.__setattr__(target, "__class__", kind)
