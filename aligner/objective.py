"""What guidance minimises: a weighted sum of distances between embeddings of generated streams and conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from .imagebind.encode import Embedding
from .losses import COMPARISONS
from .signals import Signal


@dataclass(frozen=True)
class Pair:
    """One term of the loss, weight * F(stream, target).

    The target is a condition where `given`, else another generated stream. Names alone would not tell: sound may be
    generated to fit a given sound.
    """

    stream: str
    target: str
    weight: float = 1.0
    given: bool = True

    @property
    def label(self) -> str:
        return f"{self.stream} ~ {self.target}" if self.given else f"{self.stream} ~ generated {self.target}"


@dataclass(frozen=True)
class Alignment:
    """What one look at the rendered streams says.

    loss: (B,) the weighted sum of distances, with gradient; scores: per pair the cosine similarity (B,), detached.
    """

    loss: torch.Tensor
    scores: dict[str, torch.Tensor]

    def detached(self) -> Alignment:
        return Alignment(self.loss.detach(), self.scores)


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
        return {name for pair in self.pairs for name in (pair.stream, *([] if pair.given else [pair.target]))}

    def __call__(self, rendered: Mapping[str, Signal]) -> Alignment:
        return self.alignment(self.embedded(rendered))

    def embedded(self, rendered: Mapping[str, Signal]) -> dict[str, Embedding]:
        """What the streams that are compared look or sound like."""
        compared = self.compared
        return {name: self.embed(signal) for name, signal in rendered.items() if name in compared}

    def alignment(self, generated: Mapping[str, Embedding]) -> Alignment:
        """How well embedded streams align with the conditions and with each other."""
        targets = {True: self.conditions, False: generated}
        distance = COMPARISONS[self.compare]
        distances = {pair: distance(generated[pair.stream], targets[pair.given][pair.target]) for pair in self.pairs}
        loss = sum(pair.weight * value for pair, value in distances.items())
        return Alignment(loss, {pair.label: 1.0 - value.detach() for pair, value in distances.items()})

    def overall(self, scores: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """One figure per sample, (B,): the cosines' mean, weighted as in the loss; -1..1, higher is better."""
        total = sum(abs(pair.weight) for pair in self.pairs)
        return sum(pair.weight * scores[pair.label] for pair in self.pairs) / total
