"""Overlapping windows (MultiDiffusion, arXiv 2302.08113): the memory of long results does not grow with length."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..errors import AlignerError
from ..parts import in_parts
from ..tensors.checkpointing import recomputed


@dataclass(frozen=True)
class Windows:
    """Windows of `length` frames that overlap by at least `overlap`. Raises AlignerError if they cannot."""

    length: int
    overlap: int

    def __post_init__(self):
        if not 0 < self.overlap < self.length:
            raise AlignerError(f"Windows of {self.length} frames cannot overlap by {self.overlap}. Make them longer.")

    def scaled(self, factor: int) -> Windows:
        """The same windows where each frame becomes `factor` frames."""
        return Windows(self.length * factor, self.overlap * factor)

    def spans(self, count: int) -> list[tuple[int, int]]:
        """Start and end of the windows over `count` frames, evenly spread; one window where all frames fit into it."""
        if count <= self.length:
            return [(0, count)]
        gaps = math.ceil((count - self.length) / (self.length - self.overlap))
        starts = [round(k * (count - self.length) / gaps) for k in range(gaps + 1)]
        return [(start, start + self.length) for start in starts]

    def segments(self, count: int) -> list[tuple[int, int]]:
        """The windows without overlap: neighbours are divided in the middle of what they share."""
        spans = self.spans(count)
        edges = [0, *((start + end) // 2 for (_, end), (start, _) in zip(spans, spans[1:])), count]
        return list(zip(edges, edges[1:]))

    def apply(
        self,
        whole: torch.Tensor,
        function: Callable[[torch.Tensor], torch.Tensor],
        *,
        axis: int = 2,
        result_axis: int | None = None,
        scale: int = 1,
    ) -> torch.Tensor:
        """Apply a function to every window and fade the results into each other where windows overlap.

        axis, result_axis: the axes of time in its argument and result. scale: result frames per frame; a longer result
        is cut at its end. The backward pass recomputes one window at a time.
        """
        result_axis, count = axis if result_axis is None else result_axis, whole.shape[axis]
        spans = self.spans(count)
        total: torch.Tensor | None = None
        if len(spans) == 1:
            return function(whole)
        for (start, end), share in in_parts(list(zip(spans, self._shares(count, scale)))):
            result = recomputed(function, whole.narrow(axis, start, end - start)).narrow(result_axis, 0, len(share))
            faded = result * share.to(result).view(-1, *[1] * (result.ndim - result_axis - 1))
            if total is None:
                shape = list(faded.shape)
                shape[result_axis] = count * scale
                total = faded.new_zeros(shape)
            total.narrow(result_axis, start * scale, len(share)).add_(faded)
        assert total is not None  # there is at least one window
        return total

    def _shares(self, count: int, scale: int) -> list[torch.Tensor]:
        """The share of each window in its frames; the shares of a frame sum to 1."""
        ramps = []
        for start, end in self.spans(count):
            rising = torch.arange(1, (end - start) * scale + 1) / (self.overlap * scale)
            # At the ends of the whole there is no neighbour to fade into.
            fading = torch.minimum(rising if start else torch.ones(1), rising.flip(0) if end < count else torch.ones(1))
            ramps.append(fading.clamp(max=1).expand((end - start) * scale))
        total = torch.zeros(count * scale)
        for (start, end), ramp in zip(self.spans(count), ramps):
            total[start * scale : end * scale] += ramp
        return [ramp / total[start * scale : end * scale] for (start, end), ramp in zip(self.spans(count), ramps)]
