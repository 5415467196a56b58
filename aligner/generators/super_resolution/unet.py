"""The super-resolution U-Net of guided-diffusion (arXiv 2105.05233). Attributes have the names of published keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import torch
import torch.nn.functional as F
from torch import nn

from ...tensors.precision import dtype_of, full_precision
from ..mm_diffusion.layers import timestep_embedding, zeroed
from .config import SuperResolutionConfig

_Resize = Callable[[torch.Tensor], torch.Tensor]


class SuperResolutionUNet(nn.Module):
    """Predicts the noise, and the variance, in large pictures beside which small ones are given."""

    def __init__(self, config: SuperResolutionConfig):
        super().__init__()
        self.config, width = config, config.channels
        embedding, first = 4 * width, width * config.multipliers[0]
        self.time_embed = nn.Sequential(nn.Linear(width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.input_blocks = nn.ModuleList(_encoder(config))
        self.middle_block = _Block(_middle(config))
        self.output_blocks = nn.ModuleList(_decoder(config))
        self.out = nn.Sequential(_Norm(config.norm_groups, first), nn.SiLU(), zeroed(nn.Conv2d(first, 6, 3, padding=1)))

    def forward(self, pictures: torch.Tensor, timesteps: torch.Tensor, small: torch.Tensor) -> torch.Tensor:
        """The noise (B, 3, H, W) in pictures of that shape.

        timesteps: (B,), 0..999. small: (B, 3, h, w) in -1..1, enlarged bilinearly. The predicted variance is left out.
        """
        dtype, skips = dtype_of(self), []
        enlarged = F.interpolate(small, pictures.shape[2:], mode="bilinear")
        x = torch.cat([pictures, enlarged], dim=1).to(dtype)
        embedding = self.time_embed(timestep_embedding(timesteps, self.config.channels).to(dtype))
        for block in self.input_blocks:
            x = block(x, embedding)
            skips.append(x)
        x = self.middle_block(x, embedding)
        for block in self.output_blocks:
            x = block(torch.cat([x, skips.pop()], dim=1), embedding)
        return self.out(x)[:, :3]


class _Block(nn.ModuleList):
    """Layers in sequence; residual blocks get the timestep embedding."""

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, _ResBlock) else layer(x)
        return x


class _Norm(nn.GroupNorm):
    """Group normalization in float32."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        whole = full_precision(x)
        return F.group_norm(whole, self.num_groups, self.weight.to(whole), self.bias.to(whole), self.eps).to(x.dtype)


class _ResBlock(nn.Module):
    """Norm, SiLU, resizing and convolution, then a modulated norm, SiLU and convolution, beside a shortcut."""

    def __init__(self, channels: int, out: int, embedding: int, groups: int, resize: _Resize = lambda x: x):
        super().__init__()
        self.resize = resize
        self.in_layers = nn.Sequential(_Norm(groups, channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * out))
        # The third is the dropout of training: the convolution is the fourth in the checkpoints.
        self.out_layers = nn.Sequential(
            _Norm(groups, out), nn.SiLU(), nn.Identity(), zeroed(nn.Conv2d(out, out, 3, padding=1))
        )
        self.skip_connection = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        norm, silu, convolution = self.in_layers
        inner = convolution(self.resize(silu(norm(x))))
        scale, shift = self.emb_layers(embedding)[:, :, None, None].chunk(2, dim=1)
        norm, *rest = self.out_layers
        inner = norm(inner) * (1 + scale) + shift
        for layer in rest:
            inner = layer(inner)
        return self.skip_connection(self.resize(x)) + inner


class _Attention(nn.Module):
    """Attention among the pixels of a picture."""

    def __init__(self, channels: int, heads: int, groups: int):
        super().__init__()
        self.heads = heads
        self.norm = _Norm(groups, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = x.flatten(2)
        # Each head has its queries, keys and values side by side: (B, heads, 3, C / heads, L).
        q, k, v = self.qkv(self.norm(pixels)).unflatten(1, (self.heads, 3, -1)).transpose(-1, -2).unbind(2)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(-1, -2).flatten(1, 2)
        return (pixels + self.proj_out(attended)).view_as(x)


def _halved(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, 2)


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _encoder(config: SuperResolutionConfig) -> Iterator[_Block]:
    """Levels of decreasing size, and between them a block that shrinks."""
    yield _Block([nn.Conv2d(6, config.channels * config.multipliers[0], 3, padding=1)])
    before = config.multipliers[0]
    for level, multiplier in enumerate(config.multipliers):
        for _ in range(config.res_blocks):
            yield _Block(_level(config, level, before))
            before = multiplier
        if level < len(config.multipliers) - 1:
            yield _Block([_res_block(config, multiplier, multiplier, _halved)])


def _middle(config: SuperResolutionConfig) -> list[nn.Module]:
    deepest = config.multipliers[-1]
    return [_res_block(config, deepest, deepest), _attention(config, deepest), _res_block(config, deepest, deepest)]


def _decoder(config: SuperResolutionConfig) -> Iterator[_Block]:
    """The levels in reverse. Each block takes what the encoder's had made at its place."""
    levels = ([multiplier] * (config.res_blocks + 1) for multiplier in config.multipliers)
    skips = [config.multipliers[0], *list(chain.from_iterable(levels))[:-1]]
    before = config.multipliers[-1]
    for level, multiplier in reversed(list(enumerate(config.multipliers))):
        for part in range(config.res_blocks + 1):
            layers = _level(config, level, before + skips.pop())
            before = multiplier
            if level and part == config.res_blocks:
                layers.append(_res_block(config, multiplier, multiplier, _doubled))
            yield _Block(layers)


def _level(config: SuperResolutionConfig, level: int, before: int) -> list[nn.Module]:
    """A residual block of a level, and its attention."""
    multiplier = config.multipliers[level]
    block = _res_block(config, before, multiplier)
    return [block, _attention(config, multiplier)] if level in config.attended else [block]


def _res_block(config: SuperResolutionConfig, before: int, after: int, resize: _Resize = lambda x: x) -> _ResBlock:
    width = config.channels
    return _ResBlock(before * width, after * width, 4 * width, config.norm_groups, resize)


def _attention(config: SuperResolutionConfig, multiplier: int) -> _Attention:
    return _Attention(multiplier * config.channels, config.heads, config.norm_groups)
