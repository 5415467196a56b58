"""How well finished recordings align with conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from .. import settings
from ..binders.base import Binder, Embedding, require_binder
from ..binders.several import Several, members_of
from ..conditions.condition import Condition, label_conditions
from ..errors import AlignerError
from ..synchrony import TICKS_PER_SECOND
from .objective import Objective, Observed
from .pairs import Comparing, Pair, timed_labels
from .synchrony_term import PlacedOnsets, SynchronyTerm, placed_onsets


@dataclass(frozen=True)
class Scores:
    """How well recordings align. cosines, synchrony: by label of the pair, (1,) as in `Alignment`.

    overall: the mean of the cosines weighted as the targets are, in -1..1.
    """

    cosines: dict[str, torch.Tensor]
    synchrony: dict[str, torch.Tensor]
    overall: float


def score(
    scored: Iterable[Condition],
    targets: Iterable[Condition],
    compare: str = settings.COMPARE.default,
    binder: Binder | Several | None = None,
) -> Scores:
    """The cosine similarity of every pair, and the synchrony of those that have onsets.

    Each target is compared with what its own binder made of what is scored. binder: gives the weights and names of
    several. Raises AlignerError if there is nothing to score, no target with a weight, a target of a binder that scores
    nothing, or one that counts nowhere in what is scored.
    """
    labelled = label_conditions(scored)
    counting = {label: target for label, target in label_conditions(targets).items() if target.weight}
    if not labelled or not counting:
        raise AlignerError("There must be something to score, and conditions whose weight is not 0 to compare with.")
    made_by = {condition.embedding.binder for condition in labelled.values()}
    require_binder((target.embedding for target in counting.values()), made_by, "what is scored")
    for one in labelled.values():
        for target in counting.values():
            if one.duration is not None and target.timeline:
                target.timeline.require_within(float(one.duration))
    for each in (*labelled.values(), *counting.values()):
        if len(each.embedding.clips) != 1:
            raise AlignerError(f"The {each.embedding.modality} of a condition holds several; score them one by one.")
    timed = timed_labels(counting)
    by = {
        each.binder.fingerprint: Comparing(each.binder.fingerprint, each.name, each.weight)
        for each in members_of(binder)
    }
    pairs = [
        Pair(
            one,
            label,
            target.weight * comparing.weight,
            timeline=target.timeline,
            by=comparing,
            timed=label in timed,
        )
        for one, condition in labelled.items()
        for label, target in counting.items()
        if condition.embedding.binder == target.embedding.binder
        for comparing in [by.get(target.embedding.binder, Comparing())]
    ]
    # Embeddings from files and from the binder may be on different devices.
    heard = {label: one.onsets.cpu() for label, one in labelled.items() if one.onsets is not None}
    objective = Objective(
        lambda one, binder: _on_host(one.embedding),
        {label: _on_host(target.target) for label, target in counting.items()},
        pairs,
        compare,
        term=SynchronyTerm(dict.fromkeys(labelled, 1.0), _placed(counting, heard)),
    )
    alignment = objective.alignment(
        Observed({label: _on_host(one.embedding) for label, one in labelled.items()}, heard),
    )
    return Scores(alignment.scores, alignment.synchrony, alignment.overall.item())


def _placed(targets: Mapping[str, Condition], onsets: Mapping[str, torch.Tensor]) -> dict[str, PlacedOnsets]:
    """The onsets of targets on the clock of what is scored."""
    if not onsets:
        return {}
    seconds = max(curve.shape[1] for curve in onsets.values()) / TICKS_PER_SECOND
    placed = {label: placed_onsets(target, seconds, torch.device("cpu")) for label, target in targets.items()}
    return {label: each for label, each in placed.items() if each}


def _on_host(embedding: Embedding) -> Embedding:
    return embedding.mapped(lambda clips: clips.cpu())
