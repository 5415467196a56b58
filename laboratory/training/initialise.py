"""Networks whose initial weights depend on a seed alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def initialised(build: Callable[[], Model], seed: int) -> Model:
    """Build a network. The initial weights of libraries are drawn from `seed`.

    Parameters of the network itself, which its class leaves empty, are drawn from a normal distribution.
    """
    with torch.random.fork_rng(devices=[]):
        # Only the CPU's generator: fork_rng does not restore those of other devices here.
        torch.default_generator.manual_seed(seed)
        model = build()
        for parameter in model.parameters(recurse=False):
            nn.init.normal_(parameter)
    return model.requires_grad_(True)
