"""What guidance minimises: a weighted sum of distances between embeddings of generated streams and conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ..binders.base import Embedding
from ..generators.signals import Signal
from ..timing.intervals import Part
from .distances import COMPARISONS
from .pairs import Pair


@dataclass(frozen=True)
class Alignment:
    """What one look at the rendered streams says.

    loss: (B,) the weighted sum of distances, with gradient; scores: per pair the cosine similarity (B,), detached.
    weights: per pair how much it counted.
    """

    loss: torch.Tensor
    scores: dict[str, torch.Tensor]
    weights: dict[str, float]

    def detached(self) -> Alignment:
        return replace(self, loss=self.loss.detach())

    @property
    def overall(self) -> torch.Tensor:
        """One figure per sample, (B,): the cosines' mean, weighted as in the loss; -1..1, higher is better.

        Where nothing counts, as at a moment when all schedules are 0, all count alike.
        """
        weights = self.weights if any(self.weights.values()) else dict.fromkeys(self.scores, 1.0)
        return sum(weight * self.scores[label] for label, weight in weights.items()) / sum(map(abs, weights.values()))


@dataclass(frozen=True)
class Objective:
    """Sum over pairs of weight * F(e_x, e_y) (eq. 14 to 16 of the paper, and any other set of pairs).

    embed turns a rendered stream into its embedding; conditions were embedded once, before sampling.
    """

    embed: Callable[[Signal], Embedding]
    conditions: Mapping[str, Embedding]
    pairs: Sequence[Pair]
    compare: str = "mean"

    @property
    def compared(self) -> set[str]:
        """The generated streams that some pair looks at."""
        return {name for pair in self.pairs for name in pair.streams}

    def __call__(self, rendered: Mapping[str, Signal], progress: float | None = None) -> Alignment:
        return self.alignment(self.embedded(rendered), progress)

    def embedded(self, rendered: Mapping[str, Signal]) -> dict[str, Embedding]:
        """What the streams that are compared look or sound like."""
        compared = self.compared
        return {name: self.embed(signal) for name, signal in rendered.items() if name in compared}

    def alignment(
        self, generated: Mapping[str, Embedding], progress: float | None = None, within: Part | None = None
    ) -> Alignment:
        """How well embedded streams align with the conditions and with each other.

        progress: the part of denoising that has passed, 0..1; None: the streams are finished. within: of which part of
        the result, in seconds; None: of all of it.
        """
        loss, scores, weights = 0.0, {}, {}
        for pair in self.pairs:
            stream = generated[pair.stream]
            strengths, weight = pair.strengths(stream, within), pair.weight_at(progress)
            if strengths is not None:
                # Every second counts alike: what steers half of the result weighs half as much.
                weight *= strengths.mean().item()
            distance = self._distance(pair, generated, strengths, within)
            loss = loss + weight * distance
            scores[pair.label], weights[pair.label] = 1.0 - distance.detach(), weight
        return Alignment(loss, scores, weights)

    def _distance(
        self, pair: Pair, generated: Mapping[str, Embedding], strengths: torch.Tensor | None, within: Part | None
    ) -> torch.Tensor:
        """(B,): of a pair that counts nowhere here it is that of all clips, which then weighs nothing."""
        target = (self.conditions if pair.given else generated)[pair.target]
        # Of another generated stream the same part is meant.
        others = None if pair.given else pair.strengths(target, within)
        return COMPARISONS[self.compare](
            generated[pair.stream],
            target,
            *(each if each is not None and each.any() else None for each in (strengths, others)),
        )
