"""Networks whose first weights depend on a seed and on nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def initialised(build: Callable[[], Model], seed: int) -> Model:
    """What `build` makes, with the libraries' own first weights drawn from `seed`.

    A parameter that its class leaves empty, which is what custom ones do, is drawn from a normal distribution.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # of the CPU alone: other devices' are not put back
        model = build()
        for parameter in model.parameters(recurse=False):
            nn.init.normal_(parameter)
    return model.requires_grad_(True)
