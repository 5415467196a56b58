"""CLAP's towers: each turns one modality into points of the common space."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ...tensors.precision import dtype_of, full_precision
from .log_mel import LogMel


class TextTower(nn.Module):
    """model, projection: of transformers' ClapModel."""

    def __init__(self, model: nn.Module, projection: nn.Module):
        super().__init__()
        self.model, self.projection = model, projection

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, L) and which of them count -> (B, D) of length 1."""
        return _point(self.projection, self.model(input_ids=tokens, attention_mask=mask).pooler_output)


class AudioTower(nn.Module):
    """model, projection: of transformers' ClapModel."""

    def __init__(self, log_mel: LogMel, model: nn.Module, projection: nn.Module):
        super().__init__()
        self.log_mel, self.model, self.projection = log_mel, model, projection

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """(N, n) at the model's rate and no longer than it hears -> (N, D) of length 1."""
        features = self.log_mel(waveform).to(dtype_of(self.model))
        # No part is left out, so that there is nothing to fuse.
        longer = torch.zeros(len(features), 1, dtype=torch.bool, device=features.device)
        return _point(self.projection, self.model(input_features=features, is_longer=longer).pooler_output)

    @property
    def blocks(self) -> list[nn.Module]:
        """What can be recomputed instead of kept."""
        model: Any = self.model
        return [block for stage in model.audio_encoder.layers for block in stage.blocks]


def _point(projection: nn.Module, states: torch.Tensor) -> torch.Tensor:
    """(N, C) -> (N, D) of length 1, float32 whatever the tower's dtype."""
    return F.normalize(full_precision(projection(states)), dim=-1)
