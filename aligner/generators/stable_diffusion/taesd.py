"""TAESD, a tiny decoder for latents of Stable Diffusion 1 that approximates its VAE at a fraction of the cost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import CheckpointError
from ...files.diffusers_folders import load_component, read_json
from ...files.strict_loading import fill, require_same
from ...files.weights import open_weights, save_weights
from .networks import empty_network

KIND = "TAESD's decoder"


@torch.inference_mode(False)
def load_taesd(
    path: str | Path, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> nn.Module:
    """Load TAESD's decoder: it maps latents (n, 4, h, w), scaled as for the U-Net, to pictures in -1..1.

    path: taesd_decoder.safetensors or .pth, or a folder of diffusers with an AutoencoderTiny. TAESD for SDXL has the
    same names and shapes, so that it is not detected; its pictures are wrong.
    Raises CheckpointError if the file is missing, damaged, unsafe or something else.
    """
    path = Path(path)
    if path.is_dir():
        return _from_folder(path, dtype, device)
    with open_weights(path) as weights:
        decoder = _empty_decoder(path)
        shapes = {name: tuple(tensor.shape) for name, tensor in decoder.state_dict().items()}
        names = {name: _original_name(name) for name in shapes}
        require_same(
            weights, {original: shapes[name] for name, original in names.items()}, kind=KIND, parts=f"weights of {KIND}"
        )
        fill(decoder, names, weights, dtype=dtype, device=device)
    return decoder.eval().requires_grad_(False)


def save_taesd(path: str | os.PathLike, decoder: nn.Module) -> None:
    """Write a decoder with the original names, as .safetensors or, with any other suffix, with torch.save."""
    save_weights(path, {_original_name(name): tensor for name, tensor in decoder.state_dict().items()}, {})


def _from_folder(folder: Path, dtype: torch.dtype, device: torch.device | str) -> nn.Module:
    from diffusers import AutoencoderTiny

    config = folder / "config.json"
    if not config.is_file() or read_json(config).get("_class_name") != "AutoencoderTiny":
        raise CheckpointError(
            f"{folder} holds no AutoencoderTiny. Choose taesd_decoder.safetensors, or a folder such "
            "as madebyollin/taesd."
        )
    folder = folder.absolute()
    autoencoder: Any = load_component(AutoencoderTiny, folder.parent, folder.name, dtype, device)
    return autoencoder.decoder


def _empty_decoder(path: Path) -> nn.Module:
    from diffusers import AutoencoderTiny

    autoencoder: Any = empty_network(AutoencoderTiny, {}, path)
    return autoencoder.decoder


def _original_name(name: str) -> str:
    """layers.0.weight -> 1.weight: in the original the clamp, which has no weights, is layer 0."""
    _, layer, rest = name.split(".", 2)
    return f"{int(layer) + 1}.{rest}"
