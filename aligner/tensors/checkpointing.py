"""Activation checkpointing for any list of modules: memory traded for time, results unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def checkpointed(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Within the context the modules keep no activations but recompute them in the backward pass.

    One mechanism for every network, because each library's own switch covers only a part of its blocks. The networks
    draw no random numbers (they are in eval mode), so that no generator state has to be kept.
    """
    # Some hosts hang a forward of their own onto an instance; it comes back afterwards.
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
    """function(*args, **kwargs), which is run again in the backward pass instead of keeping activations for it."""
    if not torch.is_grad_enabled():
        return function(*args, **kwargs)
    return checkpoint(function, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)
