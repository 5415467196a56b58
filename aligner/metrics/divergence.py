"""Kullback-Leibler divergence of what a classifier hears, or sees, in a result and in its reference."""

from __future__ import annotations

import torch

from ..errors import AlignerError
from .features import checked_pairs

#: What is added to the classes of a result, so that one it lacks does not cost infinitely much.
EPS = 1e-6


def kl_divergence(generated: torch.Tensor, reference: torch.Tensor, *, eps: float = EPS) -> float:
    """Mean over pairs of sum p_reference * log(p_reference / (p_generated + eps)): KL, or MKL, of published tables.

    generated, reference: logits (N, classes), row by row of a result and of what it should have been; softmax makes
    them p. Direction and eps as in Iashin and Rahtu, arXiv 2110.08791, whose code the papers on video-to-audio use;
    eps = 0 is the exact divergence that newer kits print. 0 is best; eps lets equal logits come out a little below it.

    Raises AlignerError if the shapes differ or values are not finite.
    """
    if eps < 0:
        raise AlignerError(f"eps keeps a logarithm finite: it must be 0 or more, not {eps}.")
    generated, reference = checked_pairs(generated, reference, "logits")
    log_reference = reference.log_softmax(dim=1)
    log_generated = (generated.softmax(dim=1) + eps).log() if eps else generated.log_softmax(dim=1)
    return (log_reference.exp() * (log_reference - log_generated)).sum(dim=1).mean().item()
