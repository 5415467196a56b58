"""Which seconds of a condition steer which seconds of the result, and how much when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..binders.base import Embedding
from ..errors import AlignerError
from ..timing.curves import ALWAYS, Curve
from ..timing.intervals import WHOLE, Interval

#: Seconds, and strengths, that count as none.
_LEAST = 1e-6


@dataclass(frozen=True)
class Timeline:
    """When a condition counts.

    source: the interval of the condition that steers. target: the interval of the result that it steers; both start
    together and run at the same speed. strength: a factor over the seconds of the result. schedule: a factor over
    denoising, from 0 at its beginning to 1 at its end.

    Raises AlignerError where a factor is 0 everywhere.
    """

    source: Interval = WHOLE
    target: Interval = WHOLE
    strength: Curve = ALWAYS
    schedule: Curve = ALWAYS

    def __post_init__(self):
        # Denoising has nothing before 0 and after 1.
        for name, empty, where in (
            ("strength", self.strength.empty, "somewhere"),
            ("schedule", not self.schedule.mean(0.0, 1.0), "somewhere between 0 and 1"),
        ):
            if empty:
                raise AlignerError(
                    f"The {name} of this timeline is 0 everywhere: its condition would never count. Raise it {where}."
                )

    def placed(self, embedding: Embedding) -> Embedding:
        """Keep the clips of the source and move them to the times that they steer.

        An embedding without time (a text, a picture) stays as it is.
        Raises AlignerError if the recording ends before the source begins.
        """
        if embedding.spans is None:
            return embedding
        chosen = [k for k, span in enumerate(embedding.spans) if self.source.holds(span)]
        if not chosen:
            # Within one clip, or across an edge of two: the clip that holds most of it, of equals the later one.
            share, most = max((self.source.share(span), k) for k, span in enumerate(embedding.spans))
            chosen = [most] if share else []
        if not chosen:
            raise AlignerError(
                f"The {embedding.modality} of a condition ends at {embedding.spans[-1][1]:g} s, before "
                f"its source, {self.source}, begins. Let the source begin earlier."
            )
        shift = self.target.start - self.source.start
        spans = tuple((embedding.spans[k][0] + shift, embedding.spans[k][1] + shift) for k in chosen)
        return replace(embedding.mapped(lambda clips: clips[:, chosen]), spans=spans)

    def during(self, piece: Interval, embedding: Embedding, seconds: float) -> Timeline | None:
        """The same for a piece of a result of so many seconds, on the clock of the piece; None where nothing counts.

        piece: its interval of the result. The embedding keeps its own times: the middle of a clip's part that steers
        says in which pieces it does.
        """
        begin, end = max(self.target.start, piece.start), min(self.target.until, piece.until)
        if end - begin < _LEAST or self.strength.mean(begin, end) < _LEAST:
            return None
        delay = self.source.start - self.target.start
        last = min(self.source.until, min(self.target.until, seconds) + delay)
        if embedding.spans is not None:
            steering = [(max(first, self.source.start), min(until, last)) for first, until in embedding.spans]
            middles = [sum(span) / 2 for span in steering if span[0] < span[1]]
            if not any(begin + delay <= middle < end + delay for middle in middles):
                return None
        # What has no time, and counts after its source has ended, may have onsets all the same.
        until = min(self.source.until, end + delay) if begin + delay < self.source.until else None
        return replace(
            self,
            source=Interval(begin + delay, until),
            target=Interval(begin - piece.start, None if self.target.until >= piece.until else end - piece.start),
            strength=self.strength.moved(-piece.start),
        )

    def strengths(self, spans: Sequence[tuple[float, float]]) -> torch.Tensor:
        """The weight of each clip of the result: (S,) float32, on the CPU."""
        return torch.tensor([self._strength(span) for span in spans])

    def _strength(self, span: tuple[float, float]) -> float:
        """The mean strength over a span; what lies outside the target counts 0."""
        start, end = max(span[0], self.target.start), min(span[1], self.target.until)
        return self.strength.mean(start, end) * self.target.share(span) if start < end else 0.0

    def require_within(self, seconds: float) -> None:
        """Raise AlignerError if the condition counts nowhere in a result of so many seconds."""
        # The target is given as floats: 23/10 s exceeds the float 2.3 a little, and nothing lies between.
        seconds = float(seconds)
        if self.target.start >= seconds:
            raise AlignerError(
                f"A condition steers {self.target}, but the result lasts {seconds:g} s. Let it "
                "begin earlier, or make the result longer."
            )
        if not self.strength.mean(self.target.start, min(seconds, self.target.until)):
            raise AlignerError(
                f"A condition steers {self.target}, but its strength is 0 all that time. Raise the curve there."
            )
