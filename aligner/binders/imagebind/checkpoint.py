"""ImageBind weights from and to files."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from ...errors import AlignerError, CheckpointError
from ...files.strict_loading import fill, require_same
from ...files.weights import WeightFile, open_weights, save_weights
from ..base import Fingerprint
from .binder import ImageBind
from .config import HUGE, ImageBindConfig
from .official_names import (
    CAUSAL_MASK,
    OTHER_MODALITIES,
    official_name,
    official_state_dict,
)
from .towers import TEXT_LENGTH

CONFIG_METADATA = "imagebind_config"


@torch.inference_mode(False)  # weights made in inference mode could never take part in a backward pass
def load_imagebind(
    path: str | os.PathLike,
    *,
    config: ImageBindConfig | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> ImageBind:
    """Load ImageBind from `imagebind_huge.pth`, or from a safetensors file of the same names.

    The three towers must be complete and nothing else may be there, except the thermal, depth and inertial
    towers of the published file, which are skipped. Tensors are cast and moved one by one: there is never a
    second copy of the model in memory. config: the towers' sizes; by default what the file's metadata says,
    and without metadata `HUGE`.

    Raises CheckpointError for a missing, damaged or unsafe file and for one that holds another model.
    """
    with open_weights(Path(path)) as weights:
        with torch.device("meta"):
            model = ImageBind(config or _config(weights))
        names = {name: official_name(name) for name in model.state_dict()}
        shapes = {names[name]: tuple(weight.shape) for name, weight in model.state_dict().items()}
        towers = weights.renamed(lambda name: None if name.startswith(OTHER_MODALITIES) else name)
        require_same(
            towers,
            {**shapes, CAUSAL_MASK: (TEXT_LENGTH, TEXT_LENGTH)},
            kind="an ImageBind checkpoint",
            parts="ImageBind towers",
        )
        # From the weights as stored: casting them for another precision would change a digest.
        fingerprint = Fingerprint()
        fill(model, names, towers, dtype=dtype, device=device, on_tensor=fingerprint.add)
    model.fingerprint = fingerprint.digest()
    return model


def save_imagebind(model: ImageBind, path: str | os.PathLike) -> None:
    """Write the three towers as a safetensors file with the published names, and their sizes in the metadata.

    The file appears under its name only when it is complete.
    """
    save_weights(path, official_state_dict(model), {CONFIG_METADATA: model.config.to_json()})


def _config(weights: WeightFile) -> ImageBindConfig:
    if CONFIG_METADATA not in weights.metadata:
        return HUGE
    try:
        return ImageBindConfig.from_json(weights.metadata[CONFIG_METADATA])
    except AlignerError as error:
        raise CheckpointError(f"{weights.path}: its metadata are damaged. {error}") from error
