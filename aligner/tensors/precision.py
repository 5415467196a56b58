"""In which precision numbers travel between networks."""

from __future__ import annotations

import torch
from torch import nn

#: Names of the precisions that networks can run in.
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def full_precision(tensor: torch.Tensor) -> torch.Tensor:
    """Half precision becomes float32; float32 and float64 stay.

    Networks may run in half precision; latents, spectrograms, waveforms, embeddings and the loss between them do not.
    A network in float64 stays there from end to end, which is how the loop is compared with references exactly.
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def dtype_of(network: nn.Module) -> torch.dtype:
    """The dtype of a network's weights. diffusers' own property walks through all modules at every look."""
    return next(network.parameters()).dtype
