"""Precision of networks and of the tensors that pass between them."""

from __future__ import annotations

import torch
from torch import nn

#: Precisions that networks can run in, by the names that users choose.
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def full_precision(tensor: torch.Tensor) -> torch.Tensor:
    """Cast half precision to float32; leave float32 and float64 as they are.

    Networks may run in half precision. Latents, spectrograms, waveforms, embeddings and losses are at least float32.
    Networks in float64 give float64 throughout, so that tests can compare sampling with exact references.
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def dtype_of(network: nn.Module) -> torch.dtype:
    """The dtype of a network's first parameter. Faster than the property of diffusers, which visits all modules."""
    return next(network.parameters()).dtype
