"""Strict loading of these networks from published checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from ...files.strict_loading import fill, require_same
from ...files.weights import WeightFile

#: The counter of batch normalisation, which only training reads.
_COUNTER = "num_batches_tracked"

Network = TypeVar("Network", bound=nn.Module)


def loaded(
    build: Callable[[], Network], weights: WeightFile, *, kind: str, parts: str, device: torch.device | str
) -> Network:
    """A network with the weights of a file, in float32, frozen and ready to evaluate.

    build: makes it with any weights. kind, parts: see `require_same`.
    Raises CheckpointError unless the file holds exactly its weights.
    """
    with torch.device("meta"):
        network = build()
    weights = weights.renamed(lambda name: None if name.endswith(_COUNTER) else name)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if not name.endswith(_COUNTER)}
    require_same(weights, wanted, kind=kind, parts=parts)
    fill(network, {name: name for name in wanted}, weights, dtype=torch.float32, device=device)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.num_batches_tracked = torch.zeros((), dtype=torch.long, device=device)
    return network.eval().requires_grad_(False)
