"""Layers of the coupled U-Net. Attributes have the names of the published checkpoints' keys.

Shapes: video (B, C, F, H, W), sound (B, C, T).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from ...tensors.precision import full_precision
from .config import AUDIO_SHRINKS, VIDEO_SHRINKS


class Norm(nn.Module):
    """Group normalization over all positions, in float32."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.GroupNorm = nn.GroupNorm(groups, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        norm, whole = self.GroupNorm, full_precision(x)
        weight, bias = norm.weight.to(whole), norm.bias.to(whole)
        return F.group_norm(whole, norm.num_groups, weight, bias, norm.eps).to(x.dtype)


class VideoConv(nn.Module):
    """A convolution of each frame, and then one of each pixel in time."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.video_conv_spatial = nn.Conv2d(channels, out, 3, padding=1)
        self.video_conv_temporal = nn.Conv1d(out, out, 3, padding=1)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        batch, size = len(video), video.shape[3:]
        frames = self.video_conv_spatial(video.transpose(1, 2).flatten(0, 1))
        pixels = frames.unflatten(0, (batch, -1)).transpose(1, 2).flatten(3)
        # The same as a Conv1d of each pixel, without a copy of all pixels.
        temporal = self.video_conv_temporal
        return F.conv2d(pixels, temporal.weight[..., None], temporal.bias, padding=(1, 0)).unflatten(3, size)


class VideoConv3d(nn.Module):
    """A convolution of space and time together; of single pixels where the kernel is 1."""

    def __init__(self, channels: int, out: int, kernel: int = 1):
        super().__init__()
        self.video_conv = nn.Conv3d(channels, out, kernel, padding=kernel // 2)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        return self.video_conv(video)


class AudioConv(nn.Module):
    """A dilated convolution in time."""

    def __init__(self, channels: int, out: int, kernel: int = 3, dilation: int = 1):
        super().__init__()
        self.audio_conv = nn.Conv1d(channels, out, kernel, padding=kernel // 2 * dilation, dilation=dilation)

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        return self.audio_conv(audio)


class SelfAttention(nn.Module):
    """Attention among the positions of (N, C, L)."""

    def __init__(self, channels: int, heads: int, groups: int):
        super().__init__()
        self.heads = heads
        self.norm = Norm(channels, groups)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # (N, 3, heads, C / heads, L): three of (N, heads, L, C / heads)
        q, k, v = self.qkv(self.norm(x)).unflatten(1, (3, self.heads, -1)).transpose(-1, -2).unbind(1)
        return x + self.proj_out(F.scaled_dot_product_attention(q, k, v).transpose(-1, -2).flatten(1, 2))


class InitialBlock(nn.Module):
    """Pixels and samples to the channels of the first level."""

    def __init__(self, out: int):
        super().__init__()
        self.video_conv, self.audio_conv = VideoConv(3, out), AudioConv(1, out)

    def forward(self, video: torch.Tensor, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.video_conv(video), self.audio_conv(audio)


def halved(video: torch.Tensor) -> torch.Tensor:
    """Half the height and width."""
    return F.avg_pool2d(video.flatten(1, 2), VIDEO_SHRINKS).unflatten(1, video.shape[1:3])


def doubled(video: torch.Tensor) -> torch.Tensor:
    """Twice the height and width."""
    return video.repeat_interleave(VIDEO_SHRINKS, dim=-1).repeat_interleave(VIDEO_SHRINKS, dim=-2)


def quartered(audio: torch.Tensor) -> torch.Tensor:
    """A quarter of the length."""
    return F.avg_pool1d(audio, AUDIO_SHRINKS)


def quadrupled(audio: torch.Tensor) -> torch.Tensor:
    """Four times the length."""
    return audio.repeat_interleave(AUDIO_SHRINKS, dim=-1)


def zeroed(module: nn.Module) -> nn.Module:
    """The module with weights of 0: at first a residual branch adds nothing."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def timestep_embedding(timesteps: torch.Tensor, width: int) -> torch.Tensor:
    """Cosines and sines of timesteps (B,) at frequencies from 1 to 1/10000: (B, width)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10_000) / half * torch.arange(half, dtype=torch.float32))
    angles = timesteps[:, None].float() * frequencies.to(timesteps.device)
    return torch.cat([angles.cos(), angles.sin()], dim=1)
