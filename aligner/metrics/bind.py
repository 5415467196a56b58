"""Bind scores: cosine similarity of paired embeddings."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .features import checked_pairs


def bind_scores(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The cosine similarity of each pair of rows: (N, d) and (N, d) -> (N,) float64 in -1..1.

    AV-bind, VT-bind and AT-bind (Seeing and Hearing, arXiv 2402.17723, table 1) are the scores of ImageBind embeddings
    of video and audio, video and text, audio and text. Guidance optimises this quantity itself, so evaluate guided
    results with other metrics as well.

    Raises AlignerError if the shapes differ or values are not finite.
    """
    return F.cosine_similarity(*checked_pairs(a, b, "embeddings"), dim=1)


def bind_score(a: torch.Tensor, b: torch.Tensor) -> float:
    """The mean of `bind_scores`."""
    return bind_scores(a, b).mean().item()
