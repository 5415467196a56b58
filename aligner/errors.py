"""What goes wrong because of an input, as opposed to a bug: one family of exceptions with a message for the user."""

from __future__ import annotations

from collections.abc import Iterable

#: How messages about NaN and infinity end.
NOT_FINITE = (
    "is not finite. Half precision can overflow: load the models in fp32 or bf16. Otherwise lower the "
    "learning rate or cfg."
)

#: Parts of PyTorch's messages when memory runs out, on the GPU and on the CPU.
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")


class AlignerError(ValueError):
    """An input that cannot be used. The message names the input and says what to do about it."""


class MediaError(AlignerError):
    """A picture, sound or video that cannot be read or written."""


class AlignerWarning(UserWarning):
    """A part of an input is left aside. The message is a sentence for the user."""


class MediaWarning(AlignerWarning):
    """Only a part of a recording can be used."""


class CheckpointError(AlignerError):
    """A weight file that is missing, damaged, unsafe or made for another model."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python or of PyTorch says that memory is full, the host's or a device's."""
    # PyTorch has no exception of its own for the CPU.
    said = isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _OUT_OF_MEMORY)
    return said or isinstance(error, MemoryError)


#: The longest name in a message.
_LONGEST_NAME = 250


def _in_a_line(name: str) -> str:
    shown = name if name.isprintable() else ascii(name)[1:-1]
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}..."


def listed(names: Iterable[object], most: int = 10) -> str:
    """Names for a message, abbreviated: "a, b, c and 7 more". Long ones are cut, and control characters are shown."""
    texts = [_in_a_line(str(name)) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more if texts else "nothing"
