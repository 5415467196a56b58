"""Latents of one stream or several."""

from __future__ import annotations

from typing import Any

import torch

try:
    from comfy.nested_tensor import NestedTensor
except ImportError:  # this ComfyUI has no joint models
    NestedTensor = None


def joined(streams: list[torch.Tensor]) -> Any:
    """One tensor, or several nested ones."""
    return streams[0] if len(streams) == 1 else NestedTensor(streams)


def streams_of(samples: Any) -> list[torch.Tensor]:
    return list(samples.unbind()) if samples.is_nested else [samples]


def kept_of(latent: dict[str, Any]) -> list[torch.Tensor]:
    """What the mask of a latent keeps: values (n,) by stream. A stream is left out where the mask keeps nothing."""
    pairs = zip(streams_of(latent["samples"]), streams_of(latent["noise_mask"]))
    kept = [stream[mask.expand_as(stream) == 0] for stream, mask in pairs]
    return [values for values in kept if len(values)]
