"""The outputs of a generation, for other nodes."""

import math
from collections.abc import Mapping

from ...aligner.generation import Generation
from ...aligner.generators.tuned_prompts import TunedPrompt


def mean_score(result: Generation) -> float:
    """The mean over the batch; NaN where nothing was compared."""
    return math.nan if result.score is None else float(result.score.mean())


def report(result: Generation) -> str:
    """Every pair with its cosine similarity, a line each."""
    return "\n".join(f"{pair}: {float(score.mean()):+.3f}" for pair, score in result.scores.items())


def tuned_prompt(result: Generation, texts: Mapping[str, str]) -> TunedPrompt:
    """The final prompt embeddings of the first variation."""
    return TunedPrompt({stream: embedding[:1].cpu() for stream, embedding in result.prompts.items()}, texts)
