"""Failures in a sentence."""

from __future__ import annotations

from ..errors import AlignerError, is_out_of_memory


def sentence(error: BaseException) -> str | None:
    """What went wrong and what to do, for errors that users can mend. None: a fault of the program."""
    if isinstance(error, AlignerError):
        return str(error)
    if isinstance(error, MemoryError | RuntimeError) and is_out_of_memory(error):
        return (
            f"memory ran out ({error}). Try --dtype fp16, or something shorter or smaller. Where gradients move the "
            "result, keep --checkpointing; for video also try --decoding half and --video-prompt-rate 0."
        )
    return None
