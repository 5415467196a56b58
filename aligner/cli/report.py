"""What a command says about its result, and what it writes beside it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from ..files.atomic import written_whole
from ..generation import Generation
from ..generators.tuned_prompts import TunedPrompt, save_tuned_prompt
from ..guidance.objective import described
from .rules import tuned_streams
from .steering import Outcome


def report(options: Namespace, outcome: Outcome, texts: Mapping[str, str]) -> None:
    """Say how well the written result aligns with each condition; write overview and tuned prompt where asked for.

    texts: the prompt of each stream.
    """
    print(f"Wrote {options.output}")
    for line in described(outcome.result.scores, outcome.result.synchrony, measure="cosine "):
        print(line)
    if options.overview:
        draw_overview(options.overview, outcome.result)
        print(f"Wrote {options.overview}")
    if options.save_prompt:
        save_tuned_prompt(options.save_prompt, _tuned_prompt(outcome, texts))
        print(f"Wrote {options.save_prompt}")


def _tuned_prompt(outcome: Outcome, texts: Mapping[str, str]) -> TunedPrompt:
    """The prompts of the streams whose prompt was tuned."""
    tuned = tuned_streams(outcome.rule, outcome.denoiser.streams)
    return TunedPrompt(
        {stream: outcome.result.prompts[stream] for stream in tuned}, {stream: texts[stream] for stream in tuned}
    )


def draw_overview(path: str | Path, result: Generation) -> None:
    """Write the overview of a guided result as a picture."""
    with written_whole(path) as temporary:
        result.overview().save(temporary)
