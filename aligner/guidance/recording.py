"""What a model predicts while a candidate is followed, recorded call by call and played again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map_only

#: How many values of each input are compared before a recorded output is used.
_COMPARED = 1024


@dataclass(frozen=True)
class _Held:
    """A tensor on the host, and where it came from."""

    values: torch.Tensor
    device: torch.device

    def brought_back(self) -> torch.Tensor:
        return self.values.to(self.device, copy=True)


class Recording:
    """Calls of networks, in their order. Recorded tensors are held on the host.

    evaluations: how often a network itself was called.
    """

    def __init__(self):
        self.evaluations = 0
        self._calls: list[tuple[list[torch.Tensor], Any, torch.Tensor]] = []
        self._place = 0
        self._records = True

    def rewind(self, records: bool) -> None:
        """Begin again. records: whether calls beyond the recorded ones are recorded as well."""
        self._place, self._records = 0, records

    def output(self, network: Callable, *arguments: Any, **named: Any) -> Any:
        """What a network returns for these arguments, played from the record as far as there is one."""
        place, seen = self._place, _marks((arguments, named))
        self._place += 1
        if place < len(self._calls):
            recorded, output, random = self._calls[place]
            if _same(recorded, seen):
                # A patch of the model may have drawn random numbers, as that of token merging does.
                torch.set_rng_state(random)
                return tree_map_only(_Held, _Held.brought_back, output)
            # What changes from run to run, such as noise without a seed or a callback of the user, led another way.
            del self._calls[place:]
        self.evaluations += 1
        output = network(*arguments, **named)
        if self._records and place == len(self._calls):
            self._calls.append((seen, tree_map_only(torch.Tensor, _held, output), torch.get_rng_state()))
        return output


def _held(tensor: torch.Tensor) -> _Held:
    return _Held(tensor.to("cpu", copy=True), tensor.device)


def _marks(inputs: Any) -> list[torch.Tensor]:
    """Some values of every tensor among inputs."""
    flat = [leaf.detach().flatten() for leaf in tree_leaves(inputs) if isinstance(leaf, torch.Tensor)]
    return [values[:: max(1, values.numel() // _COMPARED)].to("cpu", copy=True) for values in flat]


def _same(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> bool:
    return len(first) == len(second) and all(map(torch.equal, first, second))
