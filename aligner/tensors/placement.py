"""Device placement: networks are on the device only while they are in use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn


def device_of(module: nn.Module) -> torch.device:
    """The device of a module's first parameter."""
    return next(module.parameters()).device


@contextmanager
def placed(modules: Iterable[nn.Module], device: torch.device | str) -> Iterator[None]:
    """Move modules to a device within the context; move each back to its own device afterwards, even after an error.

    The device then holds only the networks of the current stage. Modules that are already on the device stay there.
    All parameters and buffers of a module must be on one device. A module without any stays as it is.
    """
    tensors = ((module, next(chain(module.parameters(), module.buffers()), None)) for module in modules)
    homes = {module: tensor.device for module, tensor in tensors if tensor is not None}
    try:
        for module in homes:
            module.to(device)
        yield
    finally:
        for module, home in homes.items():
            module.to(home)
