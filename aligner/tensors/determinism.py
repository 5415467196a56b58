"""Determinism: the same seed on the same machine gives the same bits, on a GPU as far as its kernels allow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Use deterministic kernels within the context; restore the host's settings afterwards.

    The CPU needs no setting. On a GPU the backward passes of attention and convolution are nondeterministic by
    default. Where PyTorch has no deterministic kernel it warns instead of failing (`warn_only`). It has none for the
    gradient of antialiased resizing. It uses the deterministic kernel of flash attention only without `warn_only`.
    """
    if device.type == "cpu":
        yield
        return
    algorithms = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn
    memory: Any = torch.utils.deterministic  # its setting is a property of the module, which type checkers do not see
    fill, convolutions, benchmark = memory.fill_uninitialized_memory, cudnn.deterministic, cudnn.benchmark
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling new memory costs time and only helps to find bugs.
        memory.fill_uninitialized_memory = False
        cudnn.deterministic, cudnn.benchmark = True, False
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
        memory.fill_uninitialized_memory = fill
        cudnn.deterministic, cudnn.benchmark = convolutions, benchmark
