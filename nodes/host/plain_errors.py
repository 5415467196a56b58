"""Errors of ours as the page shows them best."""

from collections.abc import Iterator
from contextlib import contextmanager

from ...aligner.errors import AlignerError


class SeeingHearingError(Exception):
    """A sentence of ours for the page, which shows the name of an exception beside it."""


# The page shows the path of the module as well, except for built-in exceptions.
SeeingHearingError.__module__ = "builtins"


@contextmanager
def plain_errors() -> Iterator[None]:
    """Errors of ours within become SeeingHearingError."""
    try:
        yield
    except AlignerError as error:
        raise SeeingHearingError(str(error)) from error
