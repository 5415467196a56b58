"""The outputs of a generation, for other nodes."""

import math
from collections.abc import Mapping

import torch

from ...aligner.generation import Generation
from ...aligner.generators.tuned_prompts import TunedPrompt
from ...aligner.pictures import alignment_curve
from .convert import image_output


def curve(result: Generation, steps: int) -> torch.Tensor:
    """IMAGE of the alignment of every pair and candidate over the steps. An unguided run has one point, at its end."""
    curves = result.curves or {pair: [(steps, float(score.mean()))] for pair, score in result.scores.items()}
    return image_output(alignment_curve(curves, result.tried))


def mean_score(result: Generation) -> float:
    """The mean over the batch; NaN where nothing was compared."""
    return math.nan if result.score is None else float(result.score.mean())


def report(result: Generation) -> str:
    """Every pair with its cosine similarity, a line each."""
    return "\n".join(f"{pair}: {float(score.mean()):+.3f}" for pair, score in result.scores.items())


def tuned_prompt(result: Generation, texts: Mapping[str, str]) -> TunedPrompt:
    """The final prompt embeddings of the first variation."""
    return TunedPrompt({stream: embedding[:1].cpu() for stream, embedding in result.prompts.items()}, texts)
