"""Inception score: high if each recording clearly shows one class and all recordings together show many."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..errors import AlignerError
from .features import checked_rows


class InceptionScore(NamedTuple):
    """Mean and standard deviation over splits."""

    mean: float
    std: float


def inception_score(logits: torch.Tensor, *, splits: int = 10, seed: int = 2020) -> InceptionScore:
    """exp(mean KL(p(class | recording) || p(class))), in 1..classes, over `splits` parts of the shuffled rows.

    See Salimans et al. (arXiv 1606.03498). The result equals torch-fidelity's to the last digit: rows are shuffled
    with numpy's legacy generator, whose stream is frozen, and the seed of the published tables.

    logits: (N, classes) of any classifier.
    Raises AlignerError for fewer rows than splits, fewer than 1 split, or values that are not finite.
    """
    from numpy.random import RandomState

    if splits < 1:
        raise AlignerError(f"An Inception score needs at least one split, not {splits}.")
    logits = checked_rows(logits, "logits", least=splits)
    shuffled = logits[torch.from_numpy(RandomState(seed).permutation(len(logits)))]
    bounds = [split * len(logits) // splits for split in range(splits + 1)]
    scores = torch.stack([_score(shuffled[start:end]) for start, end in zip(bounds, bounds[1:])])
    return InceptionScore(scores.mean().item(), scores.std(correction=0).item())


def _score(logits: torch.Tensor) -> torch.Tensor:
    log_classes = logits.log_softmax(dim=1)
    log_marginal = log_classes.exp().mean(dim=0).log()
    # A class with probability 0 contributes 0, not 0 * (-inf + inf).
    information = torch.where(log_classes.exp() > 0, log_classes.exp() * (log_classes - log_marginal), 0.0)
    return information.sum(dim=1).mean().exp()
