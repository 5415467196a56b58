"""What can be found out before models are loaded: whether the request makes sense and its results can be written."""

from __future__ import annotations

import math
from argparse import Namespace
from pathlib import Path

from ..errors import AlignerError, MediaError
from ..generation import require_seeds
from ..generators.ddim import require_strength
from ..guidance import Guidance
from ..media import require_writable
from ..tasks import Task


def guidance_of(options: Namespace) -> Guidance:
    """The guidance that the options describe. Raises AlignerError if they cannot work."""
    start, end = options.window
    return Guidance(rule=options.rule, rates={"audio": options.rate}, prompt_rates={"audio": options.prompt_rate},
                    inner_steps=options.inner_steps, start=start, end=end, compare=options.compare, clips=options.clips,
                    checkpointing=options.checkpointing)


def check_request(options: Namespace, task: Task, guidance: Guidance) -> None:
    """Raise AlignerError if sampling would have nothing to do."""
    if options.steps < 1:
        raise AlignerError(f"{options.steps} denoising steps cannot be taken. {task.steps} is a good number.")
    require_seeds(options.seed)
    require_strength(options.cfg)
    weights = [options.condition_weight, *([options.text_weight] if options.prompt.strip() else [])]
    if not all(math.isfinite(weight) for weight in weights):
        raise AlignerError(f"Weights must be finite numbers, not {weights}.")
    if any(not text.strip() for text in options.away_from):
        raise AlignerError("--away-from needs a text.")
    if not options.unguided:
        guidance.require_effect(task.generates, options.steps)
        if not any(weights) and not options.away_from:
            raise AlignerError("Guidance has nothing to follow: every condition has weight 0. Give one another weight, "
                               "or say --unguided.")


def check_outputs(options: Namespace, suffixes: tuple[str, ...]) -> None:
    """Raise MediaError if a result could not be written."""
    check_output(options.output, suffixes)
    if options.curve:
        check_output(options.curve, (".png",))
        if options.unguided:
            raise AlignerError("Without guidance there is no alignment curve: leave --curve or --unguided out.")


def check_output(path: str | Path, suffixes: tuple[str, ...]) -> None:
    """Raise MediaError if the suffix is none of these or the place cannot be written."""
    if Path(path).suffix.lower() not in suffixes:
        raise MediaError(f"{path} has a suffix that cannot be written here. Use one of: {', '.join(suffixes)}.")
    require_writable(path)
