"""One condition between several."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..binders.base import Embedding, require_binder
from ..errors import AlignerError
from .condition import Condition

MODALITY = "blend"
#: Below this length a weighted mean of unit vectors has no direction.
_SHORTEST = 1e-3


def blended(conditions: Sequence[Condition], weight: float = 1.0) -> Condition:
    """Average the directions of conditions, weighted; a weight below 0 points away.

    Several conditions pull one by one, and a result may follow any of them; a blend is one target. Directions are
    averaged because a binder's lengths differ by modality. Where all conditions have the same clips, each clip is
    averaged with the clips at its time. The duration is that of the videos among them, where they agree. The onsets are
    those of the only one that has some and attracts.

    Raises AlignerError for fewer than two conditions, for timelines, for different streams or binders, and where the
    directions cancel out.
    """
    conditions = [condition for condition in conditions if condition.weight]
    if len(conditions) < 2:
        raise AlignerError("A blend needs at least two conditions whose weight is not 0. Connect more.")
    if any(condition.timeline for condition in conditions):
        raise AlignerError("Conditions with a timeline cannot be blended. Blend first, then place the blend.")
    if len({condition.streams for condition in conditions}) > 1:
        raise AlignerError("Conditions that steer different streams cannot be blended. Set streams alike.")
    embeddings = [condition.embedding for condition in conditions]
    require_binder(embeddings, {embeddings[0].binder}, "the first of them")
    spans = embeddings[0].spans if len({embedding.spans for embedding in embeddings}) == 1 else None
    total = sum(abs(condition.weight) for condition in conditions)
    shares = [condition.weight / total for condition in conditions]
    heads = {
        modality: _mean_direction([embedding.towards(modality) for embedding in embeddings], shares, bool(spans))
        for modality in sorted({modality for embedding in embeddings for modality in embedding.heads})
    }
    clips = _mean_direction(embeddings, shares, bool(spans))
    curves = [each.onsets for each in conditions if each.onsets is not None and each.weight > 0]
    durations = {each.duration for each in conditions if each.duration and each.embedding.modality != "audio"}
    return Condition(
        Embedding(clips, spans, MODALITY, embeddings[0].binder, heads),
        weight,
        durations.pop() if len(durations) == 1 else None,
        conditions[0].streams,
        onsets=curves[0] if len(curves) == 1 else None,
    )


def _mean_direction(embeddings: Sequence[Embedding], shares: Sequence[float], per_clip: bool) -> torch.Tensor:
    """(B, S, D), or (B, 1, D) of the means over clips. Raises AlignerError where the directions cancel out."""
    device = embeddings[0].clips.device
    directions = [
        F.normalize(embedding.clips if per_clip else embedding.mean()[:, None], dim=-1).to(device)
        for embedding in embeddings
    ]
    if len({direction.shape for direction in directions}) > 1:
        raise AlignerError(
            "These conditions hold embeddings of different shapes and cannot be blended. Encode them again with one "
            "binder."
        )
    mean = torch.zeros_like(directions[0])
    for share, direction in zip(shares, directions):
        mean = mean + share * direction
    if not (mean.norm(dim=-1) > _SHORTEST).all():
        raise AlignerError("These conditions cancel each other out. Change a weight.")
    return mean
