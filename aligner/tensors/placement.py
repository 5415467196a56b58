"""Where networks are while they work: on the device only for as long as it needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def placed(modules: Iterable[nn.Module], device: torch.device | str) -> Iterator[None]:
    """Within the context the modules are on a device; afterwards, whatever happened, each is where it was before.

    A device then holds what a stage of the work needs, and the text encoders and towers of other stages stay on the
    host. Modules that are already there, as on a machine without GPU, are left alone. Each must be on one device.
    """
    homes = {module: next(module.parameters()).device for module in modules}
    try:
        for module in homes:
            module.to(device)
        yield
    finally:
        for module, home in homes.items():
            module.to(home)
