"""Sizes of networks, as files describe them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any

from ..errors import AlignerError


def require_sizes(config: Any, may_be_zero: Collection[str] = ()) -> None:
    """Raise AlignerError unless the numbers and the lists of numbers of a dataclass are whole and above 0.

    may_be_zero: the fields in which 0 is allowed. Fields whose default is a text are left alone.
    """
    for field in fields(config):
        if isinstance(field.default, str):
            continue
        value, least = getattr(config, field.name), 0 if field.name in may_be_zero else 1
        several = isinstance(field.default, tuple)
        numbers = value if several and isinstance(value, tuple) else (value,)
        if not numbers or any(type(number) is not int or number < least for number in numbers):
            raise AlignerError(f"{field.name} must be whole numbers of at least {least}, not {value!r}.")
