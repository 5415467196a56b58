"""The coupled U-Net of MM-Diffusion (arXiv 2212.09478): one network that denoises video and sound together.

Its modules have the names of the published checkpoints, which load strictly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import torch
from torch import nn

from ...tensors.precision import dtype_of
from .config import CoupledUNetConfig
from .cross_attention import CrossAttention
from .layers import AudioConv, InitialBlock, Norm, VideoConv3d, timestep_embedding, zeroed
from .res_block import LARGER, SAME, SMALLER, Resampling, ResBlock

#: Dilations of the sound's convolutions are 2 to the power of 0 to 9, and then 1 again.
_DILATIONS = 10


class Block(nn.ModuleList):
    """Layers in sequence, each with what it needs beside the streams."""

    def forward(
        self, video: torch.Tensor, audio: torch.Tensor, embedding: torch.Tensor, shifts: Iterator[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        for layer in self:
            if isinstance(layer, CrossAttention):
                video, audio = layer(video, audio, next(shifts))
            elif isinstance(layer, ResBlock):
                video, audio = layer(video, audio, embedding)
            else:
                video, audio = layer(video, audio)
        return video, audio


class CoupledUNet(nn.Module):
    """Predicts the noise in video and sound of `config`."""

    def __init__(self, config: CoupledUNetConfig):
        super().__init__()
        self.config, width = config, config.channels
        self.time_embed = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.input_blocks = nn.ModuleList(_encoder(config))
        self.middle_blocks = Block(_middle(config))
        self.output_blocks = nn.ModuleList(_decoder(config))
        groups, first = config.norm_groups, width * config.multipliers[0]
        self.video_out = nn.Sequential(Norm(first, groups), nn.SiLU(), zeroed(VideoConv3d(first, 3, kernel=3)))
        self.audio_out = nn.Sequential(Norm(first, groups), nn.SiLU(), zeroed(AudioConv(first, 1)))

    @property
    def windows(self) -> list[int]:
        """The windows of all cross attentions in the order of a forward pass, in frames."""
        return [module.window for module in self.modules() if isinstance(module, CrossAttention)]

    def draw_shifts(self, generator: torch.Generator) -> list[int]:
        """A random shift for every cross attention of a forward pass, in frames.

        A window of all frames is not shifted: it sees everything.
        """
        frames = self.config.frames
        return [
            int(torch.randint(frames - window + 1, (), generator=generator, device=generator.device))
            for window in self.windows
        ]

    def forward(
        self, video: torch.Tensor, audio: torch.Tensor, timesteps: torch.Tensor, shifts: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The noise in video (B, 3, F, H, W) and sound (B, 1, T), both about in -1..1.

        timesteps: (B,), 0..999. shifts: one for every cross attention, see `draw_shifts`.
        """
        dtype, remaining = dtype_of(self), iter(shifts)
        embedding = self.time_embed(timestep_embedding(timesteps, self.config.channels).to(dtype))
        video, audio, skips = video.to(dtype), audio.to(dtype), []
        for block in self.input_blocks:
            video, audio = block(video, audio, embedding, remaining)
            skips.append((video, audio))
        video, audio = self.middle_blocks(video, audio, embedding, remaining)
        for block in self.output_blocks:
            skipped_video, skipped_audio = skips.pop()
            video, audio = torch.cat([video, skipped_video], dim=1), torch.cat([audio, skipped_audio], dim=1)
            video, audio = block(video, audio, embedding, remaining)
        return self.video_out(video), self.audio_out(audio)


def _encoder(config: CoupledUNetConfig) -> Iterator[Block]:
    """Levels of decreasing size, and between them a block that shrinks."""
    yield Block([InitialBlock(config.channels * config.multipliers[0])])
    number, before = 1, config.multipliers[0]
    for level, multiplier in enumerate(config.multipliers):
        for _ in range(config.res_blocks):
            yield Block(_level(config, level, before, number))
            number, before = number + 1, multiplier
        if level < len(config.multipliers) - 1:
            yield Block([_res_block(config, multiplier, multiplier, number, SMALLER)])
            number += 1


def _middle(config: CoupledUNetConfig) -> Iterator[nn.Module]:
    """Two residual blocks with attention within both streams, and between them one that sees all frames."""
    deepest, number = config.multipliers[-1], _encoder_blocks(config) + 1
    for part in range(2):
        if part:
            yield _cross_attention(config, deepest, config.frames)
        yield _res_block(config, deepest, deepest, number, video_heads=config.heads, audio_heads=config.heads)


def _decoder(config: CoupledUNetConfig) -> Iterator[Block]:
    """The levels in reverse. Each block takes what the encoder's had made at its place."""
    skips, number, before = _skips(config), _encoder_blocks(config), config.multipliers[-1]
    for level, multiplier in reversed(list(enumerate(config.multipliers))):
        for part in range(config.res_blocks + 1):
            layers = _level(config, level, before + skips.pop(), number)
            number, before = number - 1, multiplier
            if level and part == config.res_blocks:
                layers.append(_res_block(config, multiplier, multiplier, number, LARGER))
            yield Block(layers)


def _level(config: CoupledUNetConfig, level: int, before: int, number: int) -> list[nn.Module]:
    """A residual block of a level, and its cross attention."""
    multiplier, window = config.multipliers[level], config.windows[level]
    block = _res_block(config, before, multiplier, number, video_heads=config.heads if window else 0)
    return [block, _cross_attention(config, multiplier, window)] if window else [block]


def _res_block(
    config: CoupledUNetConfig, before: int, after: int, number: int, resampling: Resampling = SAME, **heads: int
) -> ResBlock:
    width = config.channels
    dilation = 2 ** (number % _DILATIONS)
    return ResBlock(before * width, after * width, width, dilation, config.norm_groups, resampling, **heads)


def _cross_attention(config: CoupledUNetConfig, multiplier: int, window: int) -> CrossAttention:
    return CrossAttention(multiplier * config.channels, config.head_channels, window, config.norm_groups)


def _encoder_blocks(config: CoupledUNetConfig) -> int:
    """How many residual blocks the encoder has."""
    return len(config.multipliers) * (config.res_blocks + 1) - 1


def _skips(config: CoupledUNetConfig) -> list[int]:
    """The multipliers of what the encoder makes, block by block."""
    levels = ([multiplier] * (config.res_blocks + 1) for multiplier in config.multipliers)
    return [config.multipliers[0], *list(chain.from_iterable(levels))[:-1]]
