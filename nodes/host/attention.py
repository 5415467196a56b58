"""Attention over many tokens takes long on the CPU. Some queries at a time, a cancelled prompt ends soon."""

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from .progress import end_if_cancelled

#: Multiplications of one piece: about a third of a second on one core.
PIECE = 2**34


class CancellableAttention(TorchFunctionMode):
    """Within the context large attention on the CPU is computed piece by piece; between pieces a cancel counts.

    The result is the same, as queries do not know each other. Other devices are fast, and compute a backward pass in
    threads that do not know this context.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention or kwargs.get("attn_mask") is not None:
            return func(*args, **kwargs)
        query, key, value = args[:3]
        pieces = -(-2 * query.numel() * key.shape[-2] // PIECE)
        if query.device.type != "cpu" or pieces < 2 or kwargs.get("is_causal"):
            return func(*args, **kwargs)
        return torch.cat([_piece(func, part, args, kwargs) for part in query.chunk(pieces, dim=-2)], dim=-2)


def _piece(attention, query: torch.Tensor, args: tuple, kwargs: dict) -> torch.Tensor:
    end_if_cancelled()
    result = attention(query, *args[1:], **kwargs)
    if result.requires_grad:
        result.register_hook(end_if_cancelled)
    return result
