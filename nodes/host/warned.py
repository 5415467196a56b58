"""Our warnings in ComfyUI's log, as sentences without the line of code that they come from."""

import logging
import warnings
from functools import partial

from ...aligner.errors import AlignerWarning


def log_our_warnings() -> None:
    """Send warnings of `aligner` to the log; those of other packages stay as they are."""
    warnings.showwarning = partial(_shown, warnings.showwarning)


def _shown(otherwise, message, category, *where) -> None:
    if issubclass(category, AlignerWarning):
        logging.warning("Seeing & Hearing: %s", message)
    else:
        otherwise(message, category, *where)
