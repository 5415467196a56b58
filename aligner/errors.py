"""What goes wrong because of an input, as opposed to a bug: one family of exceptions with a message for the user."""

from __future__ import annotations

from collections.abc import Iterable

#: How messages about NaN and infinity end.
NOT_FINITE = (
    "is not finite. Half precision can overflow: load the models in fp32 or bf16. Otherwise lower the "
    "learning rate or cfg."
)


class AlignerError(ValueError):
    """An input that cannot be used. The message names the input and says what to do about it."""


class MediaError(AlignerError):
    """A picture, sound or video that cannot be read or written."""


class CheckpointError(AlignerError):
    """A weight file that is missing, damaged, unsafe or made for another model."""


def listed(names: Iterable[object], most: int = 10) -> str:
    """Names for a message, abbreviated: "a, b, c and 7 more"."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more if texts else "nothing"
