"""Weights of MM-Diffusion from and to files."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from ...errors import AlignerError, CheckpointError
from ...files.strict_loading import fill, require_same
from ...files.weights import WeightFile, open_weights, save_weights
from .config import PUBLISHED, CoupledUNetConfig
from .generator import MMDiffusion
from .unet import CoupledUNet

CONFIG_METADATA = "mm_diffusion_config"
#: A tensor that only the super-resolution networks have, as those of guided-diffusion do.
_SUPER_RESOLUTION = "input_blocks.0.0.weight"


@torch.inference_mode(False)  # weights made in inference mode could never take part in a backward pass
def load_mm_diffusion(
    path: str | os.PathLike,
    *,
    config: CoupledUNetConfig | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> MMDiffusion:
    """Load Landscape.pt or AIST++.pt as published, or a safetensors file of the same names, strictly.

    config: the network's sizes; by default what the file's metadata says, and without metadata `PUBLISHED`.

    Raises CheckpointError for a missing, damaged or unsafe file and for one that holds another model.
    """
    with open_weights(Path(path)) as weights:
        if _SUPER_RESOLUTION in weights.shapes:
            raise CheckpointError(
                f"{weights.path} holds a super-resolution network, which enlarges pictures. "
                "Choose Landscape.pt or AIST++.pt here."
            )
        with torch.device("meta"):
            unet = CoupledUNet(config or _config(weights))
        shapes = {name: tuple(weight.shape) for name, weight in unet.state_dict().items()}
        require_same(weights, shapes, kind="an MM-Diffusion checkpoint", parts="coupled U-Net")
        fill(unet, {name: name for name in shapes}, weights, dtype=dtype, device=device)
    return MMDiffusion(unet)


def save_mm_diffusion(model: MMDiffusion, path: str | os.PathLike) -> None:
    """Write a safetensors file with the published names, and the network's sizes in its metadata.

    The file appears under its name only when it is complete.
    """
    save_weights(path, model.unet.state_dict(), {CONFIG_METADATA: model.unet.config.to_json()})


def _config(weights: WeightFile) -> CoupledUNetConfig:
    if CONFIG_METADATA not in weights.metadata:
        return PUBLISHED
    try:
        return CoupledUNetConfig.from_json(weights.metadata[CONFIG_METADATA])
    except AlignerError as error:
        raise CheckpointError(f"{weights.path}: its metadata are damaged. {error}") from error
