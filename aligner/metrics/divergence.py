"""Kullback-Leibler divergence of a classifier's predictions for results and for their references."""

from __future__ import annotations

import torch

from ..errors import AlignerError
from .features import checked_pairs

#: Added to the class probabilities of a result, so that a probability of 0 does not make the divergence infinite.
EPS = 1e-6


def kl_divergence(generated: torch.Tensor, reference: torch.Tensor, *, eps: float = EPS) -> float:
    """Mean over pairs of sum(p_reference * log(p_reference / (p_generated + eps))): KL, or MKL, of published tables.

    Direction and eps follow Iashin and Rahtu (arXiv 2110.08791), whose code papers on video-to-audio use. eps = 0
    gives the exact divergence that newer toolkits report. 0 is best; with eps > 0 equal logits give slightly less.

    generated, reference: logits (N, classes) of results and of their references, row by row; p is their softmax.
    Raises AlignerError if the shapes differ, values are not finite, or eps is negative.
    """
    if eps < 0:
        raise AlignerError(f"eps must be 0 or more, not {eps}.")
    generated, reference = checked_pairs(generated, reference, "logits")
    log_reference = reference.log_softmax(dim=1)
    log_generated = (generated.softmax(dim=1) + eps).log() if eps else generated.log_softmax(dim=1)
    return (log_reference.exp() * (log_reference - log_generated)).sum(dim=1).mean().item()
