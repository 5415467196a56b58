"""The command line: `python -m aligner v2a clip.mp4 -o out.mp4`."""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial

from ..errors import AlignerWarning
from .arguments import parser
from .failures import sentence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, 1 after bad input, 130 after Ctrl-C."""
    with warnings.catch_warnings():
        warnings.showwarning = partial(_shown, warnings.showwarning)
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = parsed(arguments)
        # Commands import torch and the model libraries; --help should not wait for them.
        from . import commands
        from .report import report

        outcome = getattr(commands, options.command)(options)
        if outcome is not None:
            report(options, outcome)
    except KeyboardInterrupt:
        print("\nStopped. No half-written file is left behind.", file=sys.stderr)
        return 130
    except Exception as error:
        said = sentence(error)
        if said is None:
            raise
        print(f"aligner: {said}", file=sys.stderr)
        return 1
    return 0


def parsed(arguments: Sequence[str] | None) -> Namespace:
    """The options of a command. A batch hands those that it does not know to its tasks."""
    top = parser()
    options, others = top.parse_known_args(arguments)
    if options.command == "batch":
        options.others = others
    elif others:
        top.error(f"unrecognized arguments: {' '.join(others)}")
    return options


def _shown(otherwise: Callable, message: Warning, category: type[Warning], *where: object) -> None:
    """Show our own warnings as sentences, without the line of code that they come from."""
    if issubclass(category, AlignerWarning):
        print(f"aligner: {message}", file=sys.stderr)
    else:
        otherwise(message, category, *where)
