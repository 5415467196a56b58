"""What binders have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from ..errors import AlignerError
from ..timing.clips import Span


@dataclass(frozen=True)
class Embedding:
    """What ImageBind makes of a batch.

    clips: (B, S, D) float32, one embedding per clip; S is 1 for texts and pictures. Their lengths are
    ImageBind's scales: 1 for vision, 20 for audio, learned for text. spans: start and end of every clip in
    seconds; None where there is no time. modality: "text", "image", "video" or "audio".
    """

    clips: torch.Tensor
    spans: tuple[tuple[float, float], ...] | None
    modality: str

    def mean(self, strengths: torch.Tensor | None = None) -> torch.Tensor:
        """(B, D): the mean over clips, which is what ImageBind compares. strengths: (S,), how much each counts."""
        if strengths is None:
            return self.clips.mean(dim=1)
        return (self.clips * strengths[:, None]).sum(dim=1) / strengths.sum()


def in_seconds(spans: Sequence[Span]) -> tuple[tuple[float, float], ...]:
    """Spans as an embedding holds them."""
    return tuple((float(start), float(end)) for start, end in spans)


def require_binder(embeddings: Iterable[Embedding], width: int, other: str) -> None:
    """Raise AlignerError unless embeddings are as wide as those that they are compared with.

    other: the ImageBind which those are of, for the message.
    """
    if any(embedding.clips.shape[-1] != width for embedding in embeddings):
        raise AlignerError(
            f"A condition was encoded with another ImageBind than {other}. Encode it again with the same model."
        )
