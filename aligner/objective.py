"""What guidance minimises: a weighted sum of distances between embeddings of generated streams and conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from .errors import AlignerError
from .imagebind.encode import Embedding
from .losses import COMPARISONS
from .signals import Signal
from .timeline import Part, Timeline


@dataclass(frozen=True)
class Pair:
    """One term of the loss, weight * F(stream, target).

    The target is a condition where `given`, else another generated stream. Names alone would not tell: sound may be
    generated to fit a given sound. timeline: when the pair counts; None: always.
    """

    stream: str
    target: str
    weight: float = 1.0
    given: bool = True
    timeline: Timeline | None = None

    @property
    def label(self) -> str:
        return f"{self.stream} ~ {self.target}" if self.given else f"{self.stream} ~ generated {self.target}"

    @property
    def streams(self) -> set[str]:
        """The generated streams that it looks at."""
        return {self.stream} if self.given else {self.stream, self.target}

    def strengths(self, generated: Embedding, within: Part | None = None) -> torch.Tensor | None:
        """How much each clip of the generated stream counts, (S,), in a part of the result; None: all alike."""
        if generated.spans is None or self.timeline is None and within is None:
            return None
        strengths = self.strengths_over(generated.spans)
        if within:
            strengths *= torch.tensor([within.share(span) for span in generated.spans])
        return strengths.to(generated.clips.device)

    def strengths_over(self, spans: Sequence[tuple[float, float]]) -> torch.Tensor:
        """How much clips of the generated stream count in the whole result, (S,), on the CPU.

        Raises AlignerError if none of them does: the clips of ImageBind's own sampling leave gaps in a long result.
        """
        strengths = self.timeline.strengths(spans) if self.timeline else torch.ones(len(spans))
        if not strengths.any():
            raise AlignerError(f"The condition {self.target!r} steers {self.timeline.target}, but its strength is 0 on "
                               f"all clips of the {self.stream} that are looked at. Choose clips short or released, "
                               "which leave no gaps, or widen the part that it steers.")
        return strengths

    def weight_at(self, progress: float | None) -> float:
        """The weight when a part of denoising has passed; None: of the finished result, where no schedule counts."""
        scheduled = self.timeline is not None and progress is not None
        return self.weight * self.timeline.schedule.at(progress) if scheduled else self.weight


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

    def alignment(self, generated: Mapping[str, Embedding], progress: float | None = None,
                  within: Part | None = None) -> Alignment:
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

    def _distance(self, pair: Pair, generated: Mapping[str, Embedding], strengths: torch.Tensor | None,
                  within: Part | None) -> torch.Tensor:
        """(B,): of a pair that counts nowhere here it is that of all clips, which then weighs nothing."""
        target = (self.conditions if pair.given else generated)[pair.target]
        # Of another generated stream the same part is meant.
        others = None if pair.given else pair.strengths(target, within)
        return COMPARISONS[self.compare](generated[pair.stream], target, *(
            each if each is not None and each.any() else None for each in (strengths, others)))


def require_binder(embeddings: Iterable[Embedding], width: int, other: str) -> None:
    """Raise AlignerError unless embeddings are as wide as those that they are compared with.

    other: the ImageBind which those are of, for the message.
    """
    if any(embedding.clips.shape[-1] != width for embedding in embeddings):
        raise AlignerError(f"A condition was encoded with another ImageBind than {other}. Encode it again with the "
                           "same model.")
