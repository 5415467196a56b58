"""Distances between embeddings: pure functions, one distance per sample of the batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..binders.base import Embedding
from ..errors import AlignerError


def cosine_distance(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """F(x, y) = 1 - cos(x, y) over the last dimension; in 0..2 (Seeing and Hearing, section 3.2.3).

    Raises AlignerError for embeddings of different widths: a file may name a binder that did not make it.
    """
    if x.shape[-1] != y.shape[-1]:
        raise AlignerError(
            f"Embeddings of the widths {x.shape[-1]} and {y.shape[-1]} cannot be compared. Encode the condition again "
            "with the binder in use."
        )
    return 1.0 - F.cosine_similarity(x, y, dim=-1)


def mean_distance(
    x: Embedding, y: Embedding, strengths: torch.Tensor | None = None, other_strengths: torch.Tensor | None = None
) -> torch.Tensor:
    """Distance of the means over clips: (B, S, D) and (B or 1, S', D) -> (B,). The paper's comparison.

    strengths, other_strengths: (S,) and (S',), the weights of the clips of x and y on their device, not all 0. None:
    all alike.
    """
    return cosine_distance(x.mean(strengths), y.mean(other_strengths))


def per_clip_distance(
    x: Embedding, y: Embedding, strengths: torch.Tensor | None = None, other_strengths: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean over the clips of x of their distance to the clip of y at the same time: (B,).

    It keeps timing, which the mean over clips loses. An embedding without time (a text, a picture) has no clips at a
    time; then this is `mean_distance`. strengths: as there; other_strengths count only there.
    """
    if x.spans is None or y.spans is None:
        return mean_distance(x, y, strengths, other_strengths)
    nearest = _nearest_spans(x.spans, y.spans).to(y.clips.device)
    distances = cosine_distance(x.clips, y.clips[:, nearest])
    return distances.mean(dim=1) if strengths is None else distances @ (strengths / strengths.sum())


def _nearest_spans(spans, others) -> torch.Tensor:
    """For every span the index of the other span with the nearest centre, (len(spans),)."""
    centres, other_centres = (
        torch.tensor([float(start + end) / 2 for start, end in clips], dtype=torch.float64) for clips in (spans, others)
    )
    ascending, order = other_centres.sort(stable=True)
    after = torch.searchsorted(ascending, centres).clamp(max=len(others) - 1)
    before = (after - 1).clamp(min=0)
    # The earlier one of two equally near.
    nearer = (centres - ascending[before]).abs() <= (centres - ascending[after]).abs()
    return order[torch.where(nearer, before, after)]


COMPARISONS = {"mean": mean_distance, "per_clip": per_clip_distance}
