"""What a model predicts while a candidate is followed, recorded call by call and played again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch.utils._pytree import tree_leaves, tree_map_only

from ..tensors.random_state import random_state, set_random_state

Result = TypeVar("Result")


class _Diverged(BaseException):
    """Ends a run whose calls are not those that were recorded."""


@dataclass(frozen=True)
class _Held:
    """A tensor on the host, and where it came from."""

    values: torch.Tensor
    device: torch.device

    def brought_back(self) -> torch.Tensor:
        return self.values.to(self.device, copy=True)


@dataclass(frozen=True)
class _Call:
    """inputs: a digest. output: its tensors are held. random: the states of torch's generators after the call."""

    inputs: bytes
    output: Any
    random: list[torch.Tensor]


class Recording:
    """Calls of networks, in their order, as one run after another makes them. Recorded tensors are held on the host.

    evaluations: how often a network itself was called.
    """

    def __init__(self):
        self.evaluations = 0
        self._calls: list[_Call] = []
        self._place = 0
        self._records = self._trusted = True

    def play(self, run: Callable[[], Result], *, records: bool) -> Result:
        """run(), which calls its networks through `output`. records: whether new calls are recorded.

        A run that does not call what was recorded begins again and plays nothing. What keeps a state between the calls
        leads it another way, such as the attention that Self-Attention Guidance remembers.
        """
        self._place, self._records = 0, records and self._trusted
        try:
            return run()
        except _Diverged:
            self._calls.clear()
            self._place, self._records = 0, False
            self._trusted = False
            return run()

    def output(self, network: Callable, *arguments: Any, **named: Any) -> Any:
        """What a network returns for these arguments, played from the record as far as there is one."""
        place = self._place
        self._place += 1
        if place < len(self._calls):
            call = self._calls[place]
            if call.inputs != _digest((arguments, named)):
                raise _Diverged
            # A patch of the model may have drawn random numbers, as that of token merging does.
            set_random_state(call.random)
            return tree_map_only(_Held, _Held.brought_back, call.output)
        self.evaluations += 1
        # A network may change its arguments in place.
        inputs = _digest((arguments, named)) if self._records else b""
        output = network(*arguments, **named)
        if self._records:
            self._calls.append(_Call(inputs, tree_map_only(torch.Tensor, _held, output), random_state()))
        return output


def _held(tensor: torch.Tensor) -> _Held:
    return _Held(tensor.to("cpu", copy=True), tensor.device)


def _digest(inputs: Any) -> bytes:
    """A digest of every tensor among inputs."""
    digest = hashlib.blake2b(digest_size=16)
    for leaf in tree_leaves(inputs):
        if isinstance(leaf, torch.Tensor):
            digest.update(_bytes(leaf).numpy().data)
    return digest.digest()


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    # An expanded tensor shows one value many times, and only a copy has the values one by one.
    return tensor.detach().cpu().flatten().clone(memory_format=torch.contiguous_format).view(torch.uint8)
