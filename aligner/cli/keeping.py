"""Models that stay loaded from one command to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

#: What is loaded, by what loaded it. None: each command loads its own.
_kept: ContextVar[dict[tuple, Any] | None] = ContextVar("kept", default=None)


@contextmanager
def keeping(models: dict[tuple, Any]) -> Iterator[None]:
    """Within the context, what `loaded` loads goes into `models` and is taken from there the next time."""
    token = _kept.set(models)
    try:
        yield
    finally:
        _kept.reset(token)


def loaded(load: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What load(*arguments, **options) returns. Arguments must be hashable."""
    models = _kept.get()
    call = partial(load, *arguments, **options)  # a partial of a partial is one
    if models is None:
        return call()
    key = call.func, call.args, tuple(sorted(call.keywords.items()))
    if key not in models:
        models[key] = call()
    return models[key]
