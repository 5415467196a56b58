"""The objective: a weighted sum of distances between generated streams and conditions, in meaning and in time."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from .. import settings
from ..binders.base import Embedding, seen_by
from ..errors import AlignerError
from ..timing.intervals import Interval
from .distances import COMPARISONS
from .pairs import Pair
from .synchrony_term import Onsets, SynchronyTerm


@dataclass(frozen=True)
class Comparison:
    """How a rule compares results with conditions.

    compare: a key of COMPARISONS. clips: how recordings are cut, a name that the binder knows. text_weight: weight of
    the generators' own prompts as targets. audio_timing_weight, video_timing_weight: weight of synchrony beside the
    distances of a stream that is made, 0 or more; that of a pair of such streams is the lower one. Raises AlignerError
    for a comparison that does not exist.
    """

    compare: str = settings.COMPARE.default
    clips: str = settings.CLIPS.default
    text_weight: float = settings.TEXT_WEIGHT.default
    audio_timing_weight: float = settings.AUDIO_TIMING_WEIGHT.default
    video_timing_weight: float = settings.VIDEO_TIMING_WEIGHT.default

    def __post_init__(self):
        for stream, weight in self.timing_weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise AlignerError(f"{stream}_timing_weight must be a number, 0 or more, not {weight}.")
        if self.compare not in COMPARISONS:
            raise AlignerError(f"compare {self.compare!r} is unknown. Choose one of: {', '.join(COMPARISONS)}.")

    @property
    def timing_weights(self) -> dict[str, float]:
        """The weights of synchrony by stream."""
        return {"audio": self.audio_timing_weight, "video": self.video_timing_weight}


#: The comparison of the paper and of its released code.
PUBLISHED = Comparison(*(setting.default for setting in settings.PUBLISHED_COMPARISON))


@dataclass(frozen=True)
class Alignment:
    """How well rendered streams align.

    loss: (B,) the weighted sum of distances, with gradient. mutual: (B,) the part of it that compares generated streams
    with each other, detached. scores: per pair the cosine similarity (B,), detached.
    weights: per pair its weight in the loss. synchrony: per pair whose timing counts (B,) in 0..1, detached; NaN where
    nothing begins.
    """

    loss: torch.Tensor
    scores: dict[str, torch.Tensor]
    weights: dict[str, float]
    synchrony: dict[str, torch.Tensor] = field(default_factory=dict)
    mutual: torch.Tensor | float = 0.0

    def detached(self) -> Alignment:
        return replace(self, loss=self.loss.detach())

    @property
    def overall(self) -> torch.Tensor:
        """The mean of the cosines, weighted as in the loss: (B,) in -1..1, higher is better.

        What repels counts where its cosine is above 0. Where all weights are 0, as while every schedule is 0, all pairs
        count alike.
        """
        weights = self.weights if any(self.weights.values()) else dict.fromkeys(self.scores, 1.0)
        total = sum(
            weight * (self.scores[label] if weight >= 0 else self.scores[label].clamp(min=0.0))
            for label, weight in weights.items()
        )
        return torch.as_tensor(total / sum(map(abs, weights.values())))


def described(
    scores: Mapping[str, torch.Tensor], synchrony: Mapping[str, torch.Tensor], measure: str = ""
) -> list[str]:
    """Lines for people, means over the batch: "audio ~ video: +0.412" and "audio ~ video, in sync: 0.71".

    synchrony: see `Alignment`. Where nothing begins nothing is said. measure: words before each score, "cosine ".
    """
    cosines = [f"{measure}{pair}: {score.mean().item():+.3f}" for pair, score in scores.items()]
    claimed = {pair: values.nanmean().item() for pair, values in synchrony.items()}
    return cosines + [f"{pair}, in sync: {value:.2f}" for pair, value in claimed.items() if not math.isnan(value)]


@dataclass(frozen=True)
class Observed:
    """Rendered streams as they are compared. onsets: of those whose timing counts."""

    embeddings: Mapping[str, Embedding]
    onsets: Onsets = field(default_factory=dict)


@dataclass(frozen=True)
class Objective:
    """Sum over pairs of weight * F(e_x, e_y): eq. 14 to 16 of the paper, and any other set of pairs.

    embed: from a rendered stream, such as a Signal, and the fingerprint of the binder that compares it, "" for the only
    one, to its embedding. conditions: embeddings by label, made once before sampling. spans: by stream the times of the
    clips that will be compared, in seconds, as far as they are known. term: adds synchrony to pairs; None: only meaning
    counts.
    """

    embed: Callable[[Any, str], Embedding]
    conditions: Mapping[str, Embedding]
    pairs: Sequence[Pair]
    compare: str = settings.COMPARE.default
    spans: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    term: SynchronyTerm | None = None

    @property
    def compared(self) -> set[str]:
        """The generated streams that some pair compares."""
        return {name for pair in self.pairs for name in pair.streams}

    def __call__(self, rendered: Mapping[str, Any], progress: float | None = None) -> Alignment:
        return self.alignment(self.observed(rendered), progress)

    def observed(self, rendered: Mapping[str, Any]) -> Observed:
        """What the streams that are compared mean, and when they begin."""
        return Observed(self.embedded(rendered), self.onsets(rendered))

    def embedded(self, rendered: Mapping[str, Any]) -> dict[str, Embedding]:
        """What the streams that are compared mean, to each binder that compares them."""
        compared = self.compared
        return {name: self._embedded(name, signal) for name, signal in rendered.items() if name in compared}

    def _embedded(self, name: str, signal: Any) -> Embedding:
        binders = dict.fromkeys(pair.by.fingerprint for pair in self.pairs if name in pair.streams)
        first, *others = (self.embed(signal, binder) for binder in binders)
        return replace(first, others={other.binder: other for other in others}) if others else first

    def onsets(self, rendered: Mapping[str, Any], circular: Collection[str] = ()) -> Onsets:
        """When the streams begin whose timing counts. circular: streams whose end meets their beginning."""
        return self.term.onsets(rendered, self.pairs, circular) if self.term else {}

    def alignment(
        self, generated: Observed, progress: float | None = None, within: Interval | None = None
    ) -> Alignment:
        """Compare streams with the conditions and with each other.

        progress: the part of denoising that has passed, 0..1; None: the streams are finished. within: an interval of
        the result; None: all of it.
        """
        loss: torch.Tensor | float = 0.0
        mutual: torch.Tensor | float = 0.0
        scores: dict[str, torch.Tensor] = {}
        weights: dict[str, float] = {}
        synchronies: dict[str, torch.Tensor] = {}
        for pair in self.pairs:
            stream = seen_by(generated.embeddings[pair.stream], pair.by.fingerprint)
            strengths = pair.strengths(stream, within)
            # Every second counts alike: a condition that steers half of the result weighs half as much.
            weight = pair.weight_at(progress) * pair.share(stream, within)
            distance = self._distance(pair, generated.embeddings, strengths, within)
            # What repels does so as far as it is resembled: its opposite is no better than anything unlike it.
            term = weight * (distance if weight >= 0 else distance.clamp(max=1.0))
            scores[pair.label], weights[pair.label] = 1.0 - distance.detach(), weight
            synchrony = self.term.synchrony(pair, generated.onsets, within) if self.term else None
            if self.term and synchrony is not None:
                out_of_sync = (1.0 - synchrony).nan_to_num(0.0).to(distance)
                term = term + self.term.weight_of(pair, progress, within) * out_of_sync
                synchronies[pair.label] = synchrony.detach()
            loss = loss + term
            if not pair.given:
                mutual = mutual + term.detach()
        return Alignment(torch.as_tensor(loss), scores, weights, synchronies, mutual)

    def out_of_sync(
        self, observed: Observed, stream: str, variants: torch.Tensor, progress: float | None = None
    ) -> torch.Tensor:
        """How far each variant (V, B, T) of the onsets of a stream is out of sync: (V, B) in 0..1."""
        assert self.term is not None  # without it nothing has onsets
        return self.term.out_of_sync(self.pairs, observed.onsets, stream, variants, progress)

    def _distance(
        self,
        pair: Pair,
        generated: Mapping[str, Embedding],
        strengths: torch.Tensor | None,
        within: Interval | None,
    ) -> torch.Tensor:
        """The distance of a pair, (B,). Where all its clips weigh 0 it is that of all clips; the loss weighs it 0."""
        stream, target = (
            seen_by(each, pair.by.fingerprint)
            for each in (generated[pair.stream], (self.conditions if pair.given else generated)[pair.target])
        )
        # Another generated stream is compared in the same interval.
        others = None if pair.given else pair.strengths(target, within)
        return COMPARISONS[self.compare](
            stream.towards(target.modality),
            target.towards(stream.modality),
            *(each if each is not None and each.any() else None for each in (strengths, others)),
        )
