"""PE-AV's towers: each turns one modality into points of the common space.

They are made of the modules of transformers' PeAudioVideoModel. Its own forward keeps gradients from the waveform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ...tensors.precision import dtype_of, full_precision


class TextTower(nn.Module):
    """Tokens -> one point for each modality that texts are compared with.

    model: of transformers, ModernBERT. heads: by modality.
    """

    def __init__(self, model: nn.Module, heads: Mapping[str, nn.Module]):
        super().__init__()
        self.model, self.heads = model, nn.ModuleDict(heads)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """(B, L) and which of them count -> by modality (B, D) of length 1."""
        states = self.model(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states[-1]
        return {name: _point(head, states[:, 0]) for name, head in self.heads.items()}


class AudioTower(nn.Module):
    """Sounds -> points. The codec makes a state of each 40 ms, and the trunk relates them."""

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.codec, self.trunk, self.head = *_divided(encoder), head

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """(N, 1, n) at 48 kHz, n a multiple of 1920 -> (N, D) of length 1."""
        return _point(self.head, self.states(waveform)[:, 0])

    def states(self, waveform: torch.Tensor) -> torch.Tensor:
        """(N, 1, n) -> (N, 1 + n / 1920, C): the whole, and each 40 ms."""
        codec: Any = self.codec
        codes = codec.bottleneck(codec.dac_encoder(waveform.to(dtype_of(self)))).transpose(1, 2)
        return _related(self.trunk, codec.data_proj(codes))

    @property
    def blocks(self) -> list[nn.Module]:
        """What can be recomputed instead of kept."""
        codec: Any = self.codec
        return [*codec.dac_encoder.block, *_layers(self.trunk)]


class VideoTower(nn.Module):
    """Frames -> points. A network looks at each frame, and the trunk relates them."""

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.look, self.trunk, self.head = *_divided(encoder), head

    def forward(self, seen: torch.Tensor, clips: torch.Tensor) -> torch.Tensor:
        """Frames as they are seen (N, C), and which of them each clip shows (S, T) -> (S, D) of length 1."""
        return _point(self.head, self.states(seen, clips)[:, 0])

    def states(self, seen: torch.Tensor, clips: torch.Tensor) -> torch.Tensor:
        """The same -> (S, 1 + T, C): the whole of each clip, and its frames."""
        return _related(self.trunk, seen[clips])

    def seen(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (N, 3, side, side) in -1..1 -> (N, C)."""
        look: Any = self.look
        logits = look.vision_model(frames.to(dtype_of(self))).logits
        return look.data_proj(look.proj(F.normalize(logits, dim=-1)))

    @property
    def blocks(self) -> list[nn.Module]:
        look: Any = self.look
        return [*look.vision_model.timm_model.blocks, *_layers(self.trunk)]


class JointTower(nn.Module):
    """What the other towers make of a sound and of the video that it belongs to -> points of both together."""

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.join, self.trunk, self.head = *_divided(encoder), head

    def forward(self, heard: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """States of sounds (N, 1 + A, C) and of videos (N, 1 + F, C) -> (N, D) of length 1."""
        join: Any = self.join
        heard, seen = heard[:, 1:], join.video_proj(seen[:, 1:].transpose(1, 2))
        # The frame on screen in each 40 ms of the sound.
        shown = F.interpolate(seen, size=heard.shape[1], mode="nearest").transpose(1, 2)
        joined = join.concat_modality_proj(torch.cat([heard, join.video_norm(shown)], dim=-1))
        return _point(self.head, _related(self.trunk, join.data_proj(joined))[:, 0])


def _divided(encoder: nn.Module) -> tuple[nn.Module, nn.Module]:
    """An encoder of transformers as what embeds its input, and the rest, which relates the states."""
    embedder = encoder.embedder
    del encoder.embedder
    return embedder, encoder  # type: ignore[return-value]


def _related(trunk: Any, states: torch.Tensor) -> torch.Tensor:
    """States (N, L, C) -> (N, 1 + L, C), each related to all, the first of them the whole."""
    states, _ = trunk.patch_embedder(states)
    places = torch.arange(states.shape[1], device=states.device).unsqueeze(0)
    rotary = trunk.rotary_emb(states, places)
    for layer in trunk.layers:
        states = layer(states, position_embeddings=rotary)
    return trunk.output(trunk.norm(states))


def _layers(trunk: Any) -> list[nn.Module]:
    return list(trunk.layers)


def _point(head: nn.Module, states: torch.Tensor) -> torch.Tensor:
    """(N, C) -> (N, D) of length 1, float32 whatever the tower's dtype."""
    return F.normalize(full_precision(head(states)), dim=-1)
