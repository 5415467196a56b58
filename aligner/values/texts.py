"""The gate of texts."""

from __future__ import annotations

import re

from ..errors import AlignerError
from .naming import named

#: Halves of characters: a program has cut a text inside of one, as of an emoji. No tokenizer and no file takes them.
_HALVES = re.compile("[\ud800-\udfff]")


def text(value: object, what: str) -> str:
    """A text. what: its name for messages. Raises AlignerError for anything else, and for halves of characters."""
    if not isinstance(value, str):
        raise AlignerError(f"{what} must be a text, not {named(value)}.")
    if found := _HALVES.search(value):
        raise AlignerError(
            f"{what} holds half of a character at position {found.start() + 1} (the lone surrogate "
            f"U+{ord(found[0]):04X}). Write that place anew."
        )
    return str(value)
