"""Values of any kind, in a few words for a message."""

from __future__ import annotations

from numbers import Real

#: The most characters of a value in a message.
_LONGEST = 40
#: Python refuses to write whole numbers of thousands of digits.
_HUGE = 10**18


def named(value: object) -> str:
    """A number or a short text as it is, anything else by its type."""
    if value is None:
        return "nothing (None)"
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST else value[:_LONGEST] + "...")
    if isinstance(value, bool) or not isinstance(value, Real):
        return f"a value of the type {type(value).__name__}"
    if isinstance(value, int) and abs(value) > _HUGE:
        return "a number of more than 18 digits"
    return str(value)
