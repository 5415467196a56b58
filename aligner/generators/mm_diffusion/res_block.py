"""The residual block: both streams go through their own convolutions and are modulated by one timestep embedding."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from .layers import (
    AudioConv,
    Norm,
    SelfAttention,
    VideoConv,
    VideoConv3d,
    doubled,
    halved,
    quadrupled,
    quartered,
    zeroed,
)


class Resampling(NamedTuple):
    """How a block changes the size of video and sound."""

    video: Callable[[torch.Tensor], torch.Tensor]
    audio: Callable[[torch.Tensor], torch.Tensor]


SAME = Resampling(lambda video: video, lambda audio: audio)
SMALLER, LARGER = Resampling(halved, quartered), Resampling(doubled, quadrupled)


class ResBlock(nn.Module):
    """Norm, SiLU and convolution, then a modulated norm, SiLU and projection, beside a shortcut.

    embedding: width of the timestep embedding. dilation: of the sound's convolution. resampling: of both streams.
    video_heads, audio_heads: of the attention within a stream that follows; 0: none.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        embedding: int,
        dilation: int,
        groups: int,
        resampling: Resampling = SAME,
        video_heads: int = 0,
        audio_heads: int = 0,
    ):
        super().__init__()
        self.resampling = resampling
        self.video_in_layers = nn.Sequential(Norm(channels, groups), nn.SiLU(), VideoConv(channels, out))
        self.audio_in_layers = nn.Sequential(
            Norm(channels, groups), nn.SiLU(), AudioConv(channels, out, dilation=dilation)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * out))
        # The third is the dropout of training: the projection is the fourth in the checkpoints.
        self.video_out_layers = nn.Sequential(
            Norm(out, groups), nn.SiLU(), nn.Identity(), zeroed(VideoConv3d(out, out))
        )
        self.audio_out_layers = nn.Sequential(
            Norm(out, groups), nn.SiLU(), nn.Identity(), zeroed(AudioConv(out, out, kernel=1))
        )
        widened = channels != out
        self.video_skip_connection = VideoConv3d(channels, out) if widened else nn.Identity()
        self.audio_skip_connection = AudioConv(channels, out, kernel=1) if widened else nn.Identity()
        if video_heads:
            self.spatial_attention_block = SelfAttention(out, video_heads, groups)
            self.temporal_attention_block = SelfAttention(out, video_heads, groups)
        if audio_heads:
            self.audio_attention_block = SelfAttention(out, audio_heads, groups)
        self.video_heads, self.audio_heads = video_heads, audio_heads

    def forward(
        self, video: torch.Tensor, audio: torch.Tensor, embedding: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        modulation = self.emb_layers(embedding)
        resized_video, resized_audio = self.resampling
        seen, heard = resized_video(self.video_in_layers(video)), resized_audio(self.audio_in_layers(audio))
        shortcuts = self.video_skip_connection(resized_video(video)), self.audio_skip_connection(resized_audio(audio))
        video = shortcuts[0] + _modulated(self.video_out_layers, seen, modulation)
        audio = shortcuts[1] + _modulated(self.audio_out_layers, heard, modulation)
        if self.video_heads:
            video = self._attended(video)
        return video, self.audio_attention_block(audio) if self.audio_heads else audio

    def _attended(self, video: torch.Tensor) -> torch.Tensor:
        """Attention within each frame, then along time at each pixel."""
        batch, _, frames, height, width = video.shape
        # (B, C, F, H, W) -> (B F, C, H W)
        pictures = self.spatial_attention_block(video.transpose(1, 2).flatten(0, 1).flatten(2))
        # -> (B H W, C, F)
        pixels = pictures.unflatten(0, (batch, frames)).permute(0, 3, 2, 1).flatten(0, 1)
        pixels = self.temporal_attention_block(pixels)
        return pixels.unflatten(0, (batch, height, width)).permute(0, 3, 4, 1, 2)


def _modulated(layers: nn.Sequential, x: torch.Tensor, modulation: torch.Tensor) -> torch.Tensor:
    """The layers, with scale and shift (B, 2 C) after their norm (FiLM, arXiv 1709.07871)."""
    norm, *rest = layers
    scale, shift = modulation.view(*modulation.shape, *[1] * (x.dim() - 2)).chunk(2, dim=1)
    x = norm(x) * (1 + scale) + shift
    for layer in rest:
        x = layer(x)
    return x
