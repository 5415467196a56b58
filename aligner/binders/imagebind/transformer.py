"""The transformer block that all three towers are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    """Multi-head self-attention.

    bias_token: append one learned key and value to every sequence (add_bias_kv of nn.MultiheadAttention).
    causal: a token sees only itself and the tokens before it.
    """

    def __init__(self, width: int, heads: int, *, bias_token: bool, causal: bool):
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.bias_key = nn.Parameter(torch.empty(1, 1, width)) if bias_token else None
        self.bias_value = nn.Parameter(torch.empty(1, 1, width)) if bias_token else None

    def forward(self, x: torch.Tensor, rows: int | None = None) -> torch.Tensor:
        """(N, L, width) -> (N, rows, width): what the first `rows` tokens (None: all) gather from all L."""
        width = x.shape[-1]
        # Two products instead of one: appending the bias token then copies only keys and values, and nothing
        # is computed for queries that are not read.
        query_weight, key_value_weight = self.in_proj.weight.split([width, 2 * width])
        query_bias, key_value_bias = self.in_proj.bias.split([width, 2 * width])
        query = F.linear(x[:, :rows], query_weight, query_bias)
        key_value = F.linear(x, key_value_weight, key_value_bias)
        if self.bias_key is not None and self.bias_value is not None:
            bias_token = torch.cat([self.bias_key, self.bias_value], dim=-1)
            key_value = torch.cat([key_value, bias_token.expand(len(x), -1, -1)], dim=1)
        query, key, value = (self._split_heads(part) for part in (query, *key_value.chunk(2, dim=-1)))
        gathered = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.out_proj(gathered.transpose(1, 2).flatten(2))

    def _split_heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Mlp(nn.Module):
    """Two linear layers, four times as wide between them, around an exact (erf) GELU."""

    def __init__(self, width: int):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Pre-norm residual block. ImageBind's stochastic depth is left out: it is off at inference."""

    def __init__(self, width: int, heads: int, *, bias_token: bool = False, causal: bool = False):
        super().__init__()
        self.norm_1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads, bias_token=bias_token, causal=causal)
        self.norm_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, x: torch.Tensor, rows: int | None = None) -> torch.Tensor:
        """(N, L, width) -> (N, rows, width); rows: how many leading tokens are wanted (None: all)."""
        x = x[:, :rows] + self.attention(self.norm_1(x), rows)
        return x + self.mlp(self.norm_2(x))
