"""Models that stay loaded from one command to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

#: By loader, its arguments and what it loaded.
Kept = dict[Callable[..., Any], tuple[tuple, Any]]
#: What is loaded. None: each command loads its own.
_kept: ContextVar[Kept | None] = ContextVar("kept", default=None)


@contextmanager
def keeping(models: Kept) -> Iterator[None]:
    """Within the context, what `loaded` loads goes into `models` and is taken from there the next time.

    A loader's next model takes the place of its last one, so that memory does not grow with the number of models.
    """
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
    given = call.args, tuple(sorted(call.keywords.items()))
    if call.func not in models or models[call.func][0] != given:
        models.pop(call.func, None)
        models[call.func] = given, call()
    return models[call.func][1]
