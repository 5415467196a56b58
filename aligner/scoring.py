"""How well finished recordings align with conditions."""

from __future__ import annotations

from collections.abc import Iterable

from .conditions import Condition, named
from .errors import AlignerError
from .losses import COMPARISONS


def score(scored: Iterable[Condition], targets: Iterable[Condition], compare: str = "mean") -> tuple[dict, float]:
    """Cosine similarity of every pair, by label, and their mean weighted as the targets are; all in -1..1.

    Raises AlignerError if there is nothing to score, or nothing with a weight to score against.
    """
    scored = named(scored)
    targets = {name: target for name, target in named(targets).items() if target.weight}
    if not scored or not targets:
        raise AlignerError("There must be something to score, and conditions whose weight is not 0 to compare with.")
    distance = COMPARISONS[compare]
    cosines = {(name, target): 1.0 - distance(one.embedding, other.embedding).item()
               for name, one in scored.items() for target, other in targets.items()}
    weighted = sum(cosine * targets[target].weight for (_, target), cosine in cosines.items())
    overall = weighted / (len(scored) * sum(abs(target.weight) for target in targets.values()))
    return {f"{name} ~ {target}": cosine for (name, target), cosine in cosines.items()}, overall
