"""Activation checkpointing (arXiv 1604.06174) for any modules: less memory, more time, the same results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def checkpointed(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Within the context the modules keep no activations; the backward pass recomputes them.

    This replaces the libraries' own switches, which cover only a part of the blocks. The modules must be in
    eval mode: the state of random generators is not kept, so that dropout would differ when recomputed.
    """
    # Some hosts set a forward method on an instance. It is restored afterwards.
    originals = {module: module.__dict__.get("forward") for module in modules}
    for module in originals:
        module.forward = partial(recomputed, module.forward)
    try:
        yield
    finally:
        for module, original in originals.items():
            del module.forward
            if original is not None:
                module.forward = original


def recomputed(function, *args, **kwargs):
    """function(*args, **kwargs). With gradients enabled its activations are recomputed in the backward pass."""
    if not torch.is_grad_enabled():
        return function(*args, **kwargs)
    return checkpoint(function, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)
