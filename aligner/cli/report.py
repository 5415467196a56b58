"""What a command says about its result, and what it writes beside it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from ..files.atomic import written_whole
from ..generation import Generation
from ..generators.tuned_prompts import TunedPrompt, save_tuned_prompt
from ..guidance.objective import described
from .decoding import report_decoding
from .rules import tuned_streams
from .steering import Outcome


def write_beside(options: Namespace, outcome: Outcome) -> None:
    """Write overview and tuned prompt where asked for. Call it after the result is written: it is not lost then."""
    if options.overview:
        draw_overview(options.overview, outcome.result)
    if options.save_prompt:
        save_tuned_prompt(options.save_prompt, _tuned_prompt(outcome))


def _tuned_prompt(outcome: Outcome) -> TunedPrompt:
    """The prompts of the streams whose prompt was tuned."""
    tuned = tuned_streams(outcome.rule, outcome.denoiser.streams)
    return TunedPrompt(
        {stream: outcome.result.prompts[stream] for stream in tuned},
        {stream: outcome.texts[stream] for stream in tuned},
    )


def report(options: Namespace, outcome: Outcome) -> None:
    """Say what was written, how well it aligns with each condition, and how well approximate decoding led guidance."""
    print(f"Wrote {options.output}")
    for line in described(outcome.result.scores, outcome.result.synchrony, measure="cosine "):
        print(line)
    for path in filter(None, (options.overview, options.save_prompt)):
        print(f"Wrote {path}")
    if getattr(options, "decoding", "exact") != "exact":
        report_decoding(options.decoding, outcome)


def draw_overview(path: str | Path, result: Generation) -> None:
    """Write the overview of a guided result as a picture."""
    with written_whole(path) as temporary:
        result.overview().save(temporary)
