"""Pairs: which generated streams are compared with which conditions and with each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch

from ..binders.base import Embedding
from ..conditions.condition import Condition
from ..conditions.timeline import Timeline
from ..errors import AlignerError
from ..timing.intervals import Interval


@dataclass(frozen=True)
class Comparing:
    """A binder as pairs know it.

    fingerprint: "" for the only one. name: what tells it from others in labels. weight: of its pairs. streams: those
    that it embeds; None: all.
    """

    fingerprint: str = ""
    name: str = ""
    weight: float = 1.0
    streams: tuple[str, ...] | None = None

    def embeds(self, stream: str) -> bool:
        return self.streams is None or stream in self.streams

    def made(self, condition: Condition) -> bool:
        """Whether it made a condition, and so can compare with it."""
        return self.fingerprint in ("", condition.embedding.binder)


#: The only binder of a run.
ONLY = (Comparing(),)


@dataclass(frozen=True)
class Pair:
    """One term of the loss, weight * F(stream, target).

    target: the label of a condition where `given`, else the name of another generated stream. Names alone would be
    ambiguous: sound may be generated to fit a given sound. timeline: when the pair counts; None: always. by: the binder
    that compares. timed: whether the timing of the pair counts too.
    """

    stream: str
    target: str
    weight: float = 1.0
    given: bool = True
    timeline: Timeline | None = None
    by: Comparing = Comparing()
    timed: bool = True

    @property
    def label(self) -> str:
        target = self.target if self.given else f"generated {self.target}"
        return f"{self.stream} ~ {target}" + (f" ({self.by.name})" if self.by.name else "")

    @property
    def streams(self) -> set[str]:
        """The generated streams that the pair compares."""
        return {self.stream} if self.given else {self.stream, self.target}

    def strengths(self, generated: Embedding, within: Interval | None = None) -> torch.Tensor | None:
        """The weight of each clip of the generated stream, (S,), in an interval of the result; None: all alike."""
        if generated.spans is None or (self.timeline is None and within is None):
            return None
        strengths = self.strengths_over(generated.spans)
        if within:
            strengths *= torch.tensor([within.share(span) for span in generated.spans])
        return strengths.to(generated.clips.device)

    def share(self, generated: Embedding, within: Interval | None = None) -> float:
        """The part of the result, or of an interval of it, that the pair steers: 0..1."""
        strengths = self.strengths(generated, within)
        if strengths is None:
            return 1.0
        spans = generated.spans or ()
        whole = sum(within.share(span) for span in spans) if within else len(spans)
        return float(strengths.sum()) / whole if whole else 0.0

    def strengths_over(self, spans: Sequence[tuple[float, float]]) -> torch.Tensor:
        """The weight of clips at these times in the whole result, (S,) on the CPU.

        Raises AlignerError if all are 0: the clips of ImageBind's own sampling leave gaps in a long result.
        """
        if self.timeline is None:
            return torch.ones(len(spans))
        strengths = self.timeline.strengths(spans)
        if not strengths.any():
            raise AlignerError(
                f"The condition {self.target!r} steers {self.timeline.target}, but its strength is 0 on "
                f"all clips of the {self.stream} that are compared. Choose clips short or seconds, "
                "which leave no gaps, or widen its interval."
            )
        return strengths

    def weight_at(self, progress: float | None) -> float:
        """The weight after a part of denoising, 0..1. None: in the finished result, where no schedule counts."""
        if self.timeline is None or progress is None:
            return self.weight
        return self.weight * self.timeline.schedule.at(progress)


def pairs(
    streams: Iterable[str],
    conditions: Mapping[str, Condition],
    *,
    pair_weight: float = 1.0,
    by: Sequence[Comparing] = ONLY,
) -> list[Pair]:
    """Pair every generated stream with every other one and with every condition that steers it.

    This one rule yields all losses of the paper: (a,v), (a,p) for video- and image-to-audio (eq. 15), (v,a), (v,p) for
    audio-to-video (eq. 14), the triangle for joint generation (eq. 16), and (v,a) for a joint generator without text.

    conditions: by label. pair_weight: the weight of pairs of generated streams. by: the binders that compare, each what
    it embeds. Raises AlignerError when no pair is left, and for a condition that steers a stream that is not generated.
    """
    streams = tuple(streams)
    _require_known(streams, conditions)
    first = {pair: next((one for one in by if all(map(one.embeds, pair))), None) for pair in combinations(streams, 2)}
    generated = [
        # Two streams begin together or not, whoever compares what they mean.
        Pair(x, y, pair_weight * one.weight, given=False, by=one, timed=one is first[x, y])
        for x, y in combinations(streams, 2)
        for one in by
        if pair_weight and one.embeds(x) and one.embeds(y)
    ]
    timed = timed_labels(conditions)
    given = [
        Pair(
            stream,
            label,
            condition.weight * one.weight,
            timeline=condition.timeline,
            by=one,
            timed=label in timed,
        )
        for stream in streams
        for label, condition in conditions.items()
        for one in by
        if condition.steers(stream) and one.embeds(stream) and one.made(condition)
    ]
    if not generated + given:
        raise AlignerError(
            "Guidance has nothing to follow: "
            + (
                "every condition has weight 0. Give at least one another weight."
                if conditions
                else "there are no conditions. Add one, give the prompt a text_weight, or turn guidance off."
            )
        )
    return generated + given


def timed_labels(conditions: Mapping[str, Condition]) -> set[str]:
    """The conditions whose timing counts: a recording that several binders embed says when things begin once."""
    timed: dict[str, Condition] = {}
    for label, condition in conditions.items():
        if not any(_same_recording(condition, other) for other in timed.values()):
            timed[label] = condition
    return set(timed)


def _same_recording(one: Condition, other: Condition) -> bool:
    if one.onsets is None or other.onsets is None or one.embedding.binder == other.embedding.binder:
        return False
    return one.onsets.shape == other.onsets.shape and torch.equal(one.onsets.cpu(), other.onsets.cpu())


def _require_known(streams: tuple[str, ...], conditions: Mapping[str, Condition]) -> None:
    for label, condition in conditions.items():
        unknown = set(condition.streams or ()) - set(streams)
        if unknown:
            raise AlignerError(
                f"The condition {label!r} steers {' and '.join(sorted(unknown))}, but "
                f"{' and '.join(streams)} is generated here."
            )
