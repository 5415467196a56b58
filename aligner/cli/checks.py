"""Checks before models are loaded: the request makes sense, and its results can be written."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import AlignerError, MediaError
from ..files.atomic import require_writable
from ..generators import ddim
from ..generators.audioldm import require_window
from ..guidance.rule import Rule
from ..plan import phases
from .installed import NamedPath
from .rules import tuned_streams

#: The options that name what is read.
INPUTS = (
    "clip",
    "sound",
    "picture",
    "init",
    "given_video",
    "given_audio",
    "imagebind",
    "audioldm",
    "base",
    "motion",
    "taesd",
    "coupled",
    "binder",
    "audio_generator",
    "video_generator",
)


def steps_taken(options: Namespace) -> int:
    """How many video steps are taken, of all. Raises AlignerError if --init and --denoise do not go together."""
    if options.denoise < 1 and not options.init:
        raise AlignerError("--denoise below 1 keeps a part of a clip: name one with --init.")
    if options.init and options.denoise == 1:
        raise AlignerError("With --denoise 1 nothing is kept of --init. Choose a lower one, for example --denoise 0.6.")
    return ddim.steps_taken(options.steps, options.denoise)


def check_request(
    options: Namespace, rule: Rule, texts: Mapping[str, str], *, steps: int, weights: Sequence[float]
) -> None:
    """Raise AlignerError if the rule would have nothing to do, or nothing to follow.

    texts: the prompt of each stream. steps: that are taken. weights: of the condition, and of the pair of streams.
    """
    if any(not text.strip() for text in options.away_from):
        raise AlignerError("--away-from needs a text.")
    rule.require_effect(tuple(texts), steps)
    prompted = any(text.strip() for text in texts.values())
    for phase in phases(rule):
        followed = [*weights, len(options.away_from), prompted and phase.comparison.text_weight]
        if phase.guides and not any(followed):
            raise AlignerError(
                "Guidance has nothing to follow: every condition has weight 0. Give one another weight, "
                "or say --unguided."
            )


def check_window(options: Namespace) -> None:
    """Raise AlignerError for windows that AudioLDM cannot use. Other generators of sound decide by themselves."""
    if not options.audio_generator:
        require_window(options.window_seconds)


def check_outputs(options: Namespace, suffixes: tuple[str, ...], rule: Rule, streams: Sequence[str]) -> None:
    """Raise MediaError if a result could not be written, and AlignerError if there will be none."""
    check_output(options.output, suffixes)
    _require_inputs_kept(options)
    if options.overview:
        check_output(options.overview, (".png",))
        if not rule.guides:
            raise AlignerError("Without guidance there is no overview: leave --overview or --unguided out.")
        if _same_file(options.overview, options.output):
            raise AlignerError(
                f"{options.overview} cannot be the result and its overview: give one of them another name."
            )
    if options.save_prompt:
        check_output(options.save_prompt, (".safetensors",))
        if not tuned_streams(rule, streams):
            rates = " or ".join(f"--{stream}-prompt-rate" for stream in streams)
            raise AlignerError(
                f"No prompt is tuned, so that --save-prompt has nothing to write: raise {rates} of --rule or --then "
                "code or paper, and leave --unguided out."
            )


def _require_inputs_kept(options: Namespace) -> None:
    """Raise AlignerError if a result would overwrite a recording, picture or model that is read.

    v2a may replace its own clip, whose frames it keeps. A tuned prompt may be refined in place.
    """
    read = [(name, path) for name, path in paths_read(options) if os.path.exists(path)]
    for written in filter(None, (options.output, options.overview, options.save_prompt)):
        for name, path in read:
            if _same_file(written, path) and not (name == "clip" and written == options.output):
                raise AlignerError(f"{path} would be overwritten by the result: give the result another name.")


def paths_read(options: Namespace) -> Iterator[tuple[str, str]]:
    """What the options name to be read: the name of an option, and a path."""
    return ((name, path) for name in INPUTS for path in _paths(getattr(options, name, None)))


def _paths(value: str | NamedPath | list[str] | None) -> list[str]:
    """The paths in the value of an option, which may be given several times."""
    several = value if isinstance(value, list) else [value] if value else []
    return [each.path if isinstance(each, NamedPath) else each for each in several]


def _same_file(one: str, other: str) -> bool:
    first, second = (os.path.normcase(os.path.realpath(path)) for path in (one, other))
    return first == second


def check_output(path: str | Path, suffixes: tuple[str, ...]) -> None:
    """Raise MediaError if the suffix is none of these or the place cannot be written."""
    if Path(path).suffix.lower() not in suffixes:
        raise MediaError(f"{path} has a suffix that cannot be written here. Use one of: {', '.join(suffixes)}.")
    require_writable(path)
