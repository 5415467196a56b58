"""Weights of super-resolution networks from and to files."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from ...errors import AlignerError, CheckpointError
from ...files.strict_loading import fill, require_same
from ...files.weights import WeightFile, open_weights, save_weights
from .config import PUBLISHED, SuperResolutionConfig
from .unet import SuperResolutionUNet
from .upscaler import Upscaler

CONFIG_METADATA = "super_resolution_config"
#: A tensor that only MM-Diffusion's coupled networks have.
_COUPLED = "input_blocks.0.0.audio_conv.audio_conv.weight"


@torch.inference_mode(False)  # as everywhere: a host may load while it is in inference mode
def load_upscaler(
    path: str | os.PathLike,
    *,
    config: SuperResolutionConfig | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Upscaler:
    """Load Landscape_SR.pt or AIST++_SR.pt as published, or a safetensors file of the same names, strictly.

    config: the network's sizes; by default what the file's metadata says, and without metadata `PUBLISHED`.

    Raises CheckpointError for a missing, damaged or unsafe file and for one that holds another model.
    """
    with open_weights(Path(path)) as weights:
        if _COUPLED in weights.shapes:
            raise CheckpointError(
                f"{weights.path} holds MM-Diffusion itself, which makes video and sound. "
                "Choose Landscape_SR.pt or AIST++_SR.pt here."
            )
        with torch.device("meta"):
            unet = SuperResolutionUNet(config or _config(weights))
        shapes = {name: tuple(weight.shape) for name, weight in unet.state_dict().items()}
        require_same(weights, shapes, kind="a super-resolution checkpoint", parts="super-resolution U-Net")
        fill(unet, {name: name for name in shapes}, weights, dtype=dtype, device=device)
    return Upscaler(unet)


def save_upscaler(model: Upscaler, path: str | os.PathLike) -> None:
    """Write a safetensors file with the published names, and the network's sizes in its metadata.

    The file appears under its name only when it is complete.
    """
    save_weights(path, model.unet.state_dict(), {CONFIG_METADATA: model.unet.config.to_json()})


def _config(weights: WeightFile) -> SuperResolutionConfig:
    if CONFIG_METADATA not in weights.metadata:
        return PUBLISHED
    try:
        return SuperResolutionConfig.from_json(weights.metadata[CONFIG_METADATA])
    except AlignerError as error:
        raise CheckpointError(f"{weights.path}: its metadata are damaged. {error}") from error
