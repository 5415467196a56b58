"""Models that stay loaded from one command to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any


@dataclass
class Kept:
    """What is loaded, by what loaded it. used, before: by this command and by the last one."""

    models: dict[tuple, Any] = field(default_factory=dict)
    used: set[tuple] = field(default_factory=set)
    before: set[tuple] = field(default_factory=set)

    def let_go(self) -> None:
        """Forget what neither this command nor the last one used, so that memory does not grow with every model."""
        self.models = {key: model for key, model in self.models.items() if key in self.used | self.before}
        self.before, self.used = self.used, set()


#: What stays. None: each command loads its own.
_kept: ContextVar[Kept | None] = ContextVar("kept", default=None)


@contextmanager
def keeping(kept: Kept) -> Iterator[None]:
    """Within the context, what `loaded` loads goes into `kept` and is taken from there the next time."""
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)
        kept.let_go()


def loaded(load: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What load(*arguments, **options) returns. Arguments must be hashable."""
    kept = _kept.get()
    call = partial(load, *arguments, **options)  # a partial of a partial is one
    if kept is None:
        return call()
    key = call.func, call.args, tuple(sorted(call.keywords.items()))
    kept.used.add(key)
    if key not in kept.models:
        kept.models[key] = call()
    return kept.models[key]
