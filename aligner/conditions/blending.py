"""One condition between several."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F

from ..binders.base import Embedding, require_binder
from ..errors import AlignerError
from .condition import Condition

MODALITY = "blend"


def blended(conditions: Sequence[Condition], weight: float = 1.0) -> Condition:
    """The point between conditions, as far towards each as its weight says, and away from those below 0.

    Several conditions pull at a result one by one, and it may follow either; a blend is one place to go. Directions are
    averaged, because ImageBind's lengths differ by modality. Where all are cut into the same clips, each clip is
    blended with its own, and keeps its time. The duration is that of the videos among them, where they agree on one.

    Raises AlignerError for fewer than two, for timelines, where they steer different streams or come from different
    binders, and where they cancel each other out.
    """
    conditions = [condition for condition in conditions if condition.weight]
    if len(conditions) < 2:
        raise AlignerError("A blend needs at least two conditions whose weight is not 0. Connect more.")
    if any(condition.timeline for condition in conditions):
        raise AlignerError("Conditions with a timeline cannot be blended. Blend first, then place the blend.")
    embeddings = [condition.embedding for condition in conditions]
    if len({condition.streams for condition in conditions}) > 1:
        raise AlignerError("Conditions that steer different streams cannot be blended. Set streams alike.")
    require_binder(embeddings, embeddings[0].clips.shape[-1], "the first of them")
    spans = embeddings[0].spans if len({embedding.spans for embedding in embeddings}) == 1 else None
    device = embeddings[0].clips.device
    directions = [
        F.normalize(embedding.clips if spans else embedding.mean()[:, None], dim=-1).to(device)
        for embedding in embeddings
    ]
    total = sum(abs(condition.weight) for condition in conditions)
    clips = sum(condition.weight / total * direction for condition, direction in zip(conditions, directions))
    if not (clips.norm(dim=-1) > 1e-3).all():
        raise AlignerError("These conditions cancel each other out. Change a weight.")
    durations = {each.duration for each in conditions if each.duration and each.embedding.modality != "audio"}
    return Condition(
        Embedding(clips, spans, MODALITY),
        weight,
        durations.pop() if len(durations) == 1 else None,
        conditions[0].streams,
    )
