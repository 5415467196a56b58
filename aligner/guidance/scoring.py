"""How well finished recordings align with conditions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..binders.base import Embedding, require_binder
from ..conditions.condition import Condition, named
from ..errors import AlignerError
from .objective import Objective
from .pairs import Pair


def score(scored: Iterable[Condition], targets: Iterable[Condition], compare: str = "mean") -> tuple[dict, float]:
    """Cosine similarity of every pair, by label, and their mean weighted as the targets are; all in -1..1.

    Raises AlignerError if there is nothing to score, or nothing with a weight to score against, if these are of
    different ImageBinds, or if a target counts nowhere in something.
    """
    scored = named(scored)
    targets = {name: target for name, target in named(targets).items() if target.weight}
    if not scored or not targets:
        raise AlignerError("There must be something to score, and conditions whose weight is not 0 to compare with.")
    first, *others = (condition.embedding for condition in (*scored.values(), *targets.values()))
    require_binder(others, first.clips.shape[-1], "what is scored")
    for one in scored.values():
        for target in targets.values():
            if one.duration is not None and target.timeline:
                target.timeline.require_within(one.duration)
    pairs = [
        Pair(one, name, target.weight, timeline=target.timeline) for one in scored for name, target in targets.items()
    ]
    # Some were loaded from files, others come from where ImageBind works.
    alignment = Objective(
        lambda one: _on_host(one.embedding),
        {name: _on_host(target.target) for name, target in targets.items()},
        pairs,
        compare,
    )(scored)
    return {label: cosine.item() for label, cosine in alignment.scores.items()}, alignment.overall.item()


def _on_host(embedding: Embedding) -> Embedding:
    return replace(embedding, clips=embedding.clips.cpu())
