"""The command line: `python -m aligner v2a clip.mp4 -o out.mp4`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial

from ..errors import AlignerError, AlignerWarning, is_out_of_memory
from .arguments import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, 1 after bad input, 130 after Ctrl-C."""
    with warnings.catch_warnings():
        warnings.showwarning = partial(_shown, warnings.showwarning)
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = parser().parse_args(arguments)
        # Commands import torch and the model libraries; --help should not wait for them.
        from . import commands

        getattr(commands, options.command)(options)
    except AlignerError as error:
        print(f"aligner: {error}", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print(
            f"aligner: memory ran out ({error}). Try --dtype fp16, or something shorter or smaller. Where gradients "
            "move the result, keep --checkpointing; for video also try --decoding half and --video-prompt-rate 0.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("\nStopped. No half-written file is left behind.", file=sys.stderr)
        return 130
    return 0


def _shown(otherwise: Callable, message: Warning, category: type[Warning], *where: object) -> None:
    """Show our own warnings as sentences, without the line of code that they come from."""
    if issubclass(category, AlignerWarning):
        print(f"aligner: {message}", file=sys.stderr)
    else:
        otherwise(message, category, *where)
