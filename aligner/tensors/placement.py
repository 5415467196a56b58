"""Device placement: networks are on the device only while they are in use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def placed(modules: Iterable[nn.Module], device: torch.device | str) -> Iterator[None]:
    """Move modules to a device within the context; move each back to its own device afterwards, even after an error.

    The device then holds only the networks of the current stage. Modules that are already on the device stay there.
    All parameters of a module must be on one device.
    """
    homes = {module: next(module.parameters()).device for module in modules}
    try:
        for module in homes:
            module.to(device)
        yield
    finally:
        for module, home in homes.items():
            module.to(home)
