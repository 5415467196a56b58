"""Same seed, same machine, same bits: on the CPU always, on a GPU as far as its kernels go along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Choose deterministic kernels within the context and give the host its own settings back afterwards.

    The CPU is repeatable as it is. On a GPU the backward passes of attention and convolution are not by default.
    Where PyTorch has no deterministic kernel it warns instead of failing. It has none for the gradient of antialiased
    resizing, and the one of flash attention it chooses only if what cannot repeat itself is an error.
    """
    if device.type == "cpu":
        yield
        return
    algorithms = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill, cudnn = torch.utils.deterministic.fill_uninitialized_memory, torch.backends.cudnn
    convolutions, benchmark = cudnn.deterministic, cudnn.benchmark
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling fresh memory helps to find bugs, not to repeat results, and costs time.
        torch.utils.deterministic.fill_uninitialized_memory = False
        cudnn.deterministic, cudnn.benchmark = True, False
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
        torch.utils.deterministic.fill_uninitialized_memory = fill
        cudnn.deterministic, cudnn.benchmark = convolutions, benchmark
