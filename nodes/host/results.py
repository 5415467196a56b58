"""The outputs of a generation, for other nodes."""

import math
from collections.abc import Mapping

from ...aligner.generation import Generation
from ...aligner.generators.tuned_prompts import TunedPrompt
from ...aligner.guidance.objective import described


def mean_score(result: Generation) -> float:
    """The mean over the batch; NaN where nothing was compared."""
    return math.nan if result.score is None else float(result.score.mean())


def report(result: Generation) -> str:
    """Every pair with its cosine similarity, a line each, and with its synchrony."""
    return "\n".join(described(result.scores, result.synchrony))


def tuned_prompt(result: Generation, texts: Mapping[str, str]) -> TunedPrompt:
    """The final prompt embeddings of the first variation."""
    return TunedPrompt({stream: embedding[:1].cpu() for stream, embedding in result.prompts.items()}, texts)
