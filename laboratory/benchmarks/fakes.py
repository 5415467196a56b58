"""Tensors without memory, to count the memory of a run on a machine that could not hold it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from .measure import LiveBytes

_ATEN = torch.ops.aten

#: What operations return that read values, so that checks for finite values and for 0..1 pass.
_ANSWERS = {_ATEN.all.default: True, _ATEN.max.default: 1.0}

#: Flash attention pads rows and head widths to multiples of the first two and takes no head wider than the third. Its
#: deterministic backward pass keeps partial sums for groups of multiprocessors; the fourth is how many of them a large
#: consumer card has.
_FLASH_ROWS, _FLASH_WIDTH, _FLASH_WIDEST, _MULTIPROCESSORS = 128, 32, 256, 128


class Fakes:
    """Makes fakes: tensors with a shape and a dtype, but without values.

    An operation with a fake among its inputs returns fakes. Operations on real tensors alone stay real, so that code
    can compute with its times and indices. Fakes claim to be on the CPU, where attention never uses the kernel that
    holds a value for every pair of tokens.
    """

    def __init__(self):
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)

    def empty(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """A fake of this shape."""
        with self._mode:
            return torch.empty(shape, dtype=dtype)

    def network(self, network: nn.Module, dtype: torch.dtype) -> nn.Module:
        """Replace the tensors of a network by fakes; floating ones get the dtype. It may be on the meta device."""
        for module in network.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                setattr(module, name, nn.Parameter(self._like(parameter, dtype), requires_grad=False))
            for name, buffer in list(module.named_buffers(recurse=False)):
                setattr(module, name, self._like(buffer, dtype))
        return network

    def _like(self, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return self.empty(*tensor.shape, dtype=dtype if tensor.is_floating_point() else tensor.dtype)


class FakeBytes(LiveBytes):
    """Counts the bytes that fakes would take, without the weights.

    The count includes the workspace of a GPU's flash attention in the backward pass, which exceeds inputs and outputs
    where sequences are as short as those of a motion module. It excludes the workspace of other kernels and the
    reserve of an allocator.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if func is _ATEN._scaled_dot_product_flash_attention_for_cpu_backward.default:
            self.peak = max(self.peak, self.live + flash_bytes(args[1].shape))
        if func in _ANSWERS and isinstance(result, FakeTensor):
            return torch.tensor(_ANSWERS[func], dtype=result.dtype)
        return result


def flash_bytes(query: Sequence[int]) -> int:
    """Bytes of workspace of flash attention's backward pass, for queries (B, heads, L, width).

    It holds the gradient of the queries and one value per row, in float32 and padded: mha_bwd in PyTorch's
    ATen/native/transformers/cuda/flash_attn/flash_api.cpp.
    """
    batch, heads, length, width = query
    if width > _FLASH_WIDEST:
        return 0
    splits = -(-_MULTIPROCESSORS // (batch * heads))
    rows = batch * heads * _rounded(length, _FLASH_ROWS)
    return 4 * rows * (splits * _rounded(width, _FLASH_WIDTH) + 1)


def _rounded(number: int, multiple: int) -> int:
    """Round up to a multiple."""
    return -(-number // multiple) * multiple
