"""The synchrony term of the objective: what is heard begins when what is seen begins."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch

from ..conditions.condition import Condition
from ..synchrony import TICKS_PER_SECOND, has_onsets, synchrony
from ..timing.intervals import Interval
from .pairs import Pair

#: Onset curves (B, T) by stream.
Onsets = Mapping[str, torch.Tensor]
#: Weights that read the timing of every stream.
READING = MappingProxyType({"audio": 1.0, "video": 1.0})


@dataclass(frozen=True)
class PlacedOnsets:
    """The onsets of a condition on the clock of the result.

    curve: (1 or B, T). strength: (T,), how much each moment counts; None: all alike.
    """

    curve: torch.Tensor
    strength: torch.Tensor | None = None


def placed_onsets(condition: Condition, seconds: float, device: torch.device) -> PlacedOnsets | None:
    """The onsets of a condition in a result of so many seconds.

    None where the condition has no onsets. None where it repels: it is an event to stay away from, and not a moment.
    """
    if condition.onsets is None or condition.weight <= 0:
        return None
    curve, timeline = condition.onsets.detach().float(), condition.timeline
    if timeline is None:
        return PlacedOnsets(curve.to(device))
    count = round(seconds * TICKS_PER_SECOND)
    begin, shown = (round(edge * TICKS_PER_SECOND) for edge in (timeline.target.start, timeline.source.start))
    placed = curve.new_zeros(len(curve), count)
    begin = min(begin, count)
    source = curve[:, shown : shown + count - begin]
    placed[:, begin : begin + source.shape[1]] = source
    ticks = [(tick / TICKS_PER_SECOND, (tick + 1) / TICKS_PER_SECOND) for tick in range(count)]
    strength = timeline.strengths(ticks)
    # What lies after the end of the source steers nothing.
    strength[begin + source.shape[1] :] = 0
    if timeline.source.end is not None:
        strength[begin + round(timeline.source.end * TICKS_PER_SECOND) - shown :] = 0
    return PlacedOnsets(placed.to(device), strength.to(device))


@dataclass(frozen=True)
class SynchronyTerm:
    """weight * (1 - synchrony) for every pair whose sides have onsets, in addition to its distance.

    weights: by stream that is made; that of a pair of them is the lower one, and other streams have none. given: by
    label, of the conditions that have onsets. Where nothing begins in a condition, as in steady rain, or in both of two
    streams that are made, the term claims nothing and is 0.
    """

    weights: Mapping[str, float]
    given: Mapping[str, PlacedOnsets] = field(default_factory=dict)

    def onsets(
        self, rendered: Mapping[str, Any], pairs: Sequence[Pair], circular: Collection[str] = ()
    ) -> dict[str, torch.Tensor]:
        """The onsets of the streams that the term compares. A signal of another package may have none.

        circular: streams whose end meets their beginning, as where they are moved.
        """
        needed = {
            name
            for pair in pairs
            if self._own_weight(pair) and (not pair.given or pair.target in self.given)
            for name in pair.streams
        }
        curves = {
            name: signal.onsets(circular=True) if name in circular else signal.onsets()
            for name, signal in rendered.items()
            if name in needed and hasattr(signal, "onsets")
        }
        # A picture has no time.
        return {name: curve for name, curve in curves.items() if curve.shape[1]}

    def synchrony(self, pair: Pair, onsets: Onsets, within: Interval | None = None) -> torch.Tensor | None:
        """The synchrony of a pair, (B,), in an interval of the result. NaN: no claim. None: one side has no onsets.

        Nothing is claimed where nothing begins while both last and the pair counts.
        """
        sides = self._sides(pair, onsets, within)
        if sides is None:
            return None
        stream, other, strength = sides
        return torch.where(_claims(pair, *sides), synchrony(stream, other, strength), torch.nan)

    def out_of_sync(
        self, pairs: Sequence[Pair], onsets: Onsets, stream: str, variants: torch.Tensor, progress: float | None
    ) -> torch.Tensor:
        """The mean of 1 - synchrony over the pairs of a stream, weighted: (V, B) in 0..1.

        variants: (V, B, T), of the onsets of that stream.
        """
        count, batch = variants.shape[:2]
        several = {
            name: variants.flatten(0, 1) if name == stream else _tiled(each, count) for name, each in onsets.items()
        }
        total, weights = variants.new_zeros(count * batch), 0.0
        for pair in pairs:
            sides = self._sides(pair, several, None) if stream in pair.streams else None
            if sides is None:
                continue
            one, other, strength = sides
            other = _tiled(other, count) if pair.given else other
            apart = torch.where(_claims(pair, one, other, strength), 1.0 - synchrony(one, other, strength), 0.0)
            weight = self.weight_of(pair, progress)
            total, weights = total + weight * apart, weights + weight
        return (total / max(weights, 1e-6)).unflatten(0, (count, batch))

    def weight_of(self, pair: Pair, progress: float | None, within: Interval | None = None) -> float:
        """The weight of a pair in the term, in an interval of the result.

        Like its distance it weighs half where it steers half of that.
        """
        placed = self.given.get(pair.target) if pair.given else None
        share = 1.0
        if placed is not None and placed.strength is not None:
            strength = placed.strength[slice(*_ticks(within)) if within else slice(None)]
            share = strength.mean().item() if len(strength) else 0.0
        return self._own_weight(pair) * pair.weight_at(progress) * share

    def _own_weight(self, pair: Pair) -> float:
        return min(self.weights.get(stream, 0.0) for stream in pair.streams) if pair.timed else 0.0

    def _sides(
        self, pair: Pair, onsets: Onsets, within: Interval | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None] | None:
        """The onsets of both sides and the strength of each moment; None where a side has no onsets or repels."""
        one, strength = onsets.get(pair.stream), None
        if pair.given:
            placed = self.given.get(pair.target)
            other, strength = (placed.curve, placed.strength) if placed else (None, None)
        else:
            other = onsets.get(pair.target)
        if one is None or other is None or pair.weight <= 0 or not pair.timed:
            return None
        begin, end = (0, None) if within is None else _ticks(within)
        cut = slice(begin, min(one.shape[1], other.shape[1], one.shape[1] if end is None else end))
        # A host may keep signals elsewhere than conditions.
        return one[:, cut], other[:, cut].to(one), None if strength is None else strength[cut].to(one)


def _tiled(curve: torch.Tensor, count: int) -> torch.Tensor:
    """Curves (B, T) for as many variants; one of all samples serves all."""
    return curve if len(curve) == 1 else curve.repeat(count, 1)


def _claims(pair: Pair, stream: torch.Tensor, other: torch.Tensor, strength: torch.Tensor | None) -> torch.Tensor:
    """(B,) bool: whether there is anything to be in sync with. strength: (T,), how much each moment counts."""
    counting = other if strength is None else other * (strength > 0)
    claims = has_onsets(counting)
    claims = claims if pair.given else claims | has_onsets(stream)
    return claims.expand(max(len(stream), len(other)))


def _ticks(interval: Interval) -> tuple[int, int | None]:
    end = None if interval.end is None else round(interval.end * TICKS_PER_SECOND)
    return round(interval.start * TICKS_PER_SECOND), end
