"""Random-shift multi-modal attention: every frame looks at a few frames of the other stream (paper, section 3.3).

Frame i of a stream attends to the frames i + s, ..., i + s + w - 1 of the other one, counted in a circle. The caller
gives the shift s, so that a recomputed backward pass sees the same frames. The released code draws it anew there, and
its gradients are those of another network.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .layers import AudioConv, Norm, VideoConv3d, zeroed


class CrossAttention(nn.Module):
    """window: how many frames of the other stream a frame looks at."""

    def __init__(self, channels: int, head_channels: int, window: int, groups: int):
        super().__init__()
        self.window, self.head_channels = window, head_channels
        self.v_norm, self.a_norm = Norm(channels, groups), Norm(channels, groups)
        self.v_qkv, self.a_qkv = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, 3 * channels, 1)
        self.video_proj_out = zeroed(VideoConv3d(channels, channels))
        self.audio_proj_out = zeroed(AudioConv(channels, channels, kernel=1))

    def forward(self, video: torch.Tensor, audio: torch.Tensor, shift: int) -> tuple[torch.Tensor, torch.Tensor]:
        """video (B, C, F, H, W), audio (B, C, T) with T a multiple of F. shift: in frames, 0..F - window."""
        count = video.shape[2]
        seen = self._by_frame(self.v_qkv(self.v_norm(video).flatten(2)), count)
        heard = self._by_frame(self.a_qkv(self.a_norm(audio)), count)
        frames = (torch.arange(count)[:, None] + shift + torch.arange(self.window)) % count
        video_out = _attended(seen, heard, frames.to(video.device)).unflatten(2, video.shape[2:])
        audio_out = _attended(heard, seen, frames.to(video.device))
        return video + self.video_proj_out(video_out), audio + self.audio_proj_out(audio_out)

    def _by_frame(self, qkv: torch.Tensor, count: int) -> tuple[torch.Tensor, ...]:
        """(B, 3 C, F L) -> queries, keys, values (B, heads, F, L, C / heads)."""
        return qkv.unflatten(1, (3, -1, self.head_channels)).unflatten(4, (count, -1)).movedim(3, 5).unbind(1)


def _attended(own: tuple[torch.Tensor, ...], other: tuple[torch.Tensor, ...], frames: torch.Tensor) -> torch.Tensor:
    """The queries of each frame among the keys of `frames` (F, w) of the other stream: (B, C, F L)."""
    keys, values = (each[:, :, frames].flatten(3, 4) for each in other[1:])
    return F.scaled_dot_product_attention(own[0], keys, values).movedim(4, 2).flatten(3, 4).flatten(1, 2)
