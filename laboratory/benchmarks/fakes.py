"""Tensors without memory: what a run would take, counted on a machine that could not hold it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from .measure import LiveBytes

_ATEN = torch.ops.aten

#: Code that looks at values, to refuse what is not finite or not in 0..1, is told that all is well.
_ANSWERS = {_ATEN.all.default: True, _ATEN.max.default: 1.0}

#: Flash attention pads rows and head widths to multiples of these and takes no wider head; its deterministic backward
#: pass keeps apart what each group of multiprocessors adds up, of which a large consumer card has as many as this.
_FLASH_ROWS, _FLASH_WIDTH, _FLASH_WIDEST, _MULTIPROCESSORS = 128, 32, 256, 128


class Fakes:
    """Makes fakes: tensors with a shape and a dtype, but without values.

    Operations on one give fakes, also together with real tensors; those among real tensors only stay real, so that code
    goes on computing with its times and indices. They pass for tensors on the CPU, where attention is never the kernel
    that spells out every pair of tokens.
    """

    def __init__(self):
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)

    def empty(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        with self._mode:
            return torch.empty(shape, dtype=dtype)

    def network(self, network: nn.Module, dtype: torch.dtype) -> nn.Module:
        """Turn a network, which may be on the meta device, into fakes of that dtype, where it is made of floats."""
        for module in network.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                setattr(module, name, nn.Parameter(self._like(parameter, dtype), requires_grad=False))
            for name, buffer in list(module.named_buffers(recurse=False)):
                setattr(module, name, self._like(buffer, dtype))
        return network

    def _like(self, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return self.empty(*tensor.shape, dtype=dtype if tensor.is_floating_point() else tensor.dtype)


class FakeBytes(LiveBytes):
    """Counts the bytes that fakes would take, from the weights up.

    A GPU's flash attention takes memory for itself while it runs backwards, which is more than what goes in and out
    where sequences are as short as a motion module's: it is counted as well. What other kernels take is not, nor what
    an allocator holds back.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if func is _ATEN._scaled_dot_product_flash_attention_for_cpu_backward.default:
            self.peak = max(self.peak, self.live + flash_bytes(args[1].shape))
        if func in _ANSWERS and isinstance(result, FakeTensor):
            return torch.tensor(_ANSWERS[func], dtype=result.dtype)
        return result


def flash_bytes(query: Sequence[int]) -> int:
    """What flash attention's backward pass keeps for itself, for queries (B, heads, L, width).

    The gradient of the queries and one figure per row, in float32 and padded: mha_bwd in PyTorch's
    ATen/native/transformers/cuda/flash_attn/flash_api.cpp.
    """
    batch, heads, length, width = query
    if width > _FLASH_WIDEST:
        return 0
    splits = -(-_MULTIPROCESSORS // (batch * heads))
    rows = batch * heads * _rounded(length, _FLASH_ROWS)
    return 4 * rows * (splits * _rounded(width, _FLASH_WIDTH) + 1)


def _rounded(number: int, multiple: int) -> int:
    """Rounded up."""
    return -(-number // multiple) * multiple
