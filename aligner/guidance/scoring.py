"""How well finished recordings align with conditions."""

from __future__ import annotations

from collections.abc import Iterable

from .. import settings
from ..binders.base import Embedding, require_binder
from ..conditions.condition import Condition, label_conditions
from ..errors import AlignerError
from .objective import Objective
from .pairs import Pair


def score(
    scored: Iterable[Condition], targets: Iterable[Condition], compare: str = settings.COMPARE.default
) -> tuple[dict[str, float], float]:
    """The cosine similarity of every pair, by label, and their mean weighted as the targets are; all in -1..1.

    Raises AlignerError if there is nothing to score, no target with a weight, embeddings of different binders, or a
    target that counts nowhere in what is scored.
    """
    labelled = label_conditions(scored)
    counting = {label: target for label, target in label_conditions(targets).items() if target.weight}
    if not labelled or not counting:
        raise AlignerError("There must be something to score, and conditions whose weight is not 0 to compare with.")
    first, *others = (condition.embedding for condition in (*labelled.values(), *counting.values()))
    require_binder(others, first.binder, "what is scored")
    for one in labelled.values():
        for target in counting.values():
            if one.duration is not None and target.timeline:
                target.timeline.require_within(float(one.duration))
    for each in (*labelled.values(), *counting.values()):
        if len(each.embedding.clips) != 1:
            raise AlignerError(f"The {each.embedding.modality} of a condition holds several; score them one by one.")
    pairs = [
        Pair(one, label, target.weight, timeline=target.timeline)
        for one in labelled
        for label, target in counting.items()
    ]
    # Embeddings from files and from the binder may be on different devices.
    alignment = Objective(
        lambda one: _on_host(one.embedding),
        {label: _on_host(target.target) for label, target in counting.items()},
        pairs,
        compare,
    )(labelled)
    return {label: cosine.item() for label, cosine in alignment.scores.items()}, alignment.overall.item()


def _on_host(embedding: Embedding) -> Embedding:
    return embedding.mapped(lambda clips: clips.cpu())
