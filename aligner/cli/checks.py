"""What can be found out before models are loaded: whether the request makes sense and its results can be written."""

from __future__ import annotations

import math
import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import AlignerError, MediaError
from ..files.atomic import require_writable
from ..generation import require_seeds
from ..generators import ddim
from ..guidance.rule import RULES, Guidance, filled


def guidance_of(
    options: Namespace,
    *,
    rates: Mapping[str, float | None],
    prompt_rates: Mapping[str, float | None],
    candidates: Mapping[str, int | None],
) -> Guidance:
    """The guidance that the options describe, which leave to the rule what is None. Raises AlignerError if they cannot
    work."""
    rule, (start, end) = RULES[options.rule], options.window
    return Guidance(
        rule=options.rule,
        rates=filled(rates, rule.rates),
        prompt_rates=filled(prompt_rates, rule.prompt_rates),
        candidates=filled(candidates, rule.candidates),
        chosen_at=options.chosen_at,
        inner_steps=options.inner_steps,
        start=start,
        end=end,
        compare=options.compare,
        clips=options.clips,
        checkpointing=options.checkpointing,
    )


def text_weight_of(options: Namespace) -> float:
    """How much prompts count beside the conditions."""
    return RULES[options.rule].text_weight if options.text_weight is None else options.text_weight


def steps_taken(options: Namespace) -> int:
    """How many video steps are taken, of all. Raises AlignerError if --init and --denoise do not go together."""
    if not 0 < options.denoise <= 1:
        raise AlignerError(f"--denoise must be above 0 and at most 1, not {options.denoise}.")
    if options.denoise < 1 and not options.init:
        raise AlignerError("--denoise below 1 keeps a part of a clip: name one with --init.")
    if options.init and options.denoise == 1:
        raise AlignerError("With --denoise 1 nothing is kept of --init. Choose a lower one, for example --denoise 0.6.")
    require_steps(options.steps)
    return ddim.steps_taken(options.steps, options.denoise)


def require_steps(steps: int) -> int:
    """A number of steps as it is; raises AlignerError if it is none."""
    if steps < 1:
        raise AlignerError(f"{steps} denoising steps cannot be taken. 25 or 30 is a good number.")
    return steps


def check_request(options: Namespace, guidance: Guidance, *, steps: int, weights: Sequence[float]) -> None:
    """Raise AlignerError if sampling would have nothing to do.

    steps: that are taken. weights: of everything that steers, but for the texts to stay away from.
    """
    require_steps(steps)
    require_seeds(options.seed)
    if options.cfg is not None:
        ddim.require_strength(options.cfg)
    if not all(math.isfinite(weight) for weight in weights):
        raise AlignerError(f"Weights must be finite numbers, not {', '.join(map(str, weights))}.")
    if any(not text.strip() for text in options.away_from):
        raise AlignerError("--away-from needs a text.")
    if not options.unguided:
        guidance.require_effect({*guidance.rates, *guidance.prompt_rates, *guidance.candidates}, steps)
        if not any(weights) and not options.away_from:
            raise AlignerError(
                "Guidance has nothing to follow: every condition has weight 0. Give one another weight, "
                "or say --unguided."
            )


def check_outputs(options: Namespace, suffixes: tuple[str, ...], guidance: Guidance) -> None:
    """Raise MediaError if a result could not be written, and AlignerError if there will be none."""
    check_output(options.output, suffixes)
    _require_inputs_kept(options)
    if options.curve:
        check_output(options.curve, (".png",))
        if options.unguided:
            raise AlignerError("Without guidance there is no alignment curve: leave --curve or --unguided out.")
        if _same_file(options.curve, options.output):
            raise AlignerError(f"{options.curve} cannot be the result and its curve: give one of them another name.")
    if options.save_prompt:
        check_output(options.save_prompt, (".safetensors",))
        if options.unguided or not any(guidance.prompt_rates.values()):
            raise AlignerError(
                "No prompt is tuned, so that --save-prompt has nothing to write: raise --prompt-rate, "
                "and leave --unguided out."
            )


def _require_inputs_kept(options: Namespace) -> None:
    """No recording, picture or model that is read is overwritten. v2a may write into its own clip, whose pictures it
    keeps, and a tuned prompt may be refined in place."""
    names = ("clip", "sound", "picture", "init", "imagebind", "audioldm", "base", "motion", "taesd")
    read = {name: path for name in names if (path := getattr(options, name, None)) and os.path.exists(path)}
    for written in filter(None, (options.output, options.curve, options.save_prompt)):
        for name, path in read.items():
            if _same_file(written, path) and not (name == "clip" and written == options.output):
                raise AlignerError(f"{path} would be overwritten by the result: give the result another name.")


def _same_file(one: str, other: str) -> bool:
    first, second = (os.path.normcase(os.path.realpath(path)) for path in (one, other))
    return first == second


def check_output(path: str | Path, suffixes: tuple[str, ...]) -> None:
    """Raise MediaError if the suffix is none of these or the place cannot be written."""
    if Path(path).suffix.lower() not in suffixes:
        raise MediaError(f"{path} has a suffix that cannot be written here. Use one of: {', '.join(suffixes)}.")
    require_writable(path)
