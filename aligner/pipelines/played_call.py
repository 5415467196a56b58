"""One call of a diffusers pipeline, played.

The pipeline itself encodes, denoises and decodes. What its denoising network returned in an earlier call is played from
a record. After the moment of choice its scheduler returns the clean estimate in every step, so that the pipeline
decodes what the candidate will become.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

from ..errors import AlignerError
from ..guidance.recording import Recording
from .estimates import estimate_of


class PlayedCall:
    """What runs in place of the methods of a pipeline's parts during one call.

    recording: what networks returned in earlier calls with the same seed. until: after how many steps the networks rest
    and the scheduler returns the clean estimate; None: the call runs to its end.
    """

    def __init__(self, recording: Recording, until: int | None):
        self._recording, self._until = recording, until
        # A joint pipeline steps a copy of its scheduler for its second stream.
        self._taken: Counter = Counter()
        self._results: dict[Any, Any] = {}
        self._predicted: list[Any] = []
        self._predictions = 0
        self._advice: dict[Any, Any] = {}

    @property
    def steps(self) -> int:
        return max(self._taken.values(), default=0)

    @property
    def _rests(self) -> bool:
        return self._until is not None and self.steps >= self._until

    def predict(self, network: Any, original: Callable, *arguments: Any, **named: Any) -> Any:
        """In place of a call of a denoising network."""
        place, self._predictions = self._predictions, self._predictions + 1
        if self._rests:
            # No step looks at it any more. What the last step looked at has the right shape.
            return self._predicted[min(place, len(self._predicted) - 1)]
        output = self._recording.output(original, *arguments, **named)
        self._predicted[place:] = [output]
        return output

    def advise(self, adviser: Any, original: Callable, *arguments: Any, **named: Any) -> Any:
        """In place of a call of a ControlNet."""
        if not self._rests or adviser not in self._advice:
            self._advice[adviser] = original(*arguments, **named)
        return self._advice[adviser]

    def begin(self, scheduler: Any, original: Callable, *arguments: Any, **named: Any) -> Any:
        """In place of the choice of a schedule."""
        if self._taken[scheduler]:
            raise AlignerError(
                "This pipeline samples a result in several passes. A clean estimate in the middle of one does not show "
                "the whole result, so that candidates cannot be compared."
            )
        return original(*arguments, **named)

    def step(self, scheduler: Any, original: Callable, *arguments: Any, **named: Any) -> Any:
        """In place of a scheduler's step."""
        self._predictions = 0
        self._taken[scheduler] += 1
        if self._until is None or self._taken[scheduler] < self._until:
            return original(*arguments, **named)
        step = inspect.signature(scheduler.step).bind(*arguments, **named).arguments
        if scheduler not in self._results:
            result = original(*arguments, **{**named, "return_dict": True})
            estimate = estimate_of(scheduler)(scheduler, step, result).to(result["prev_sample"].dtype)
            self._results[scheduler] = tree_map_only(torch.Tensor, lambda _: estimate, result)
        # A pipeline may change what it is given in place.
        result = tree_map_only(torch.Tensor, torch.clone, self._results[scheduler])
        return result if step.get("return_dict", True) else result.to_tuple()
