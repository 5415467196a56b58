"""ImageBind weights from and to files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from ..errors import AlignerError, CheckpointError, listed
from ..media.atomic import written_whole
from .config import HUGE, ImageBindConfig
from .official_names import CAUSAL_MASK, OTHER_MODALITIES, official_name, official_state_dict
from .towers import TEXT_LENGTH, ImageBind
from .weight_files import WeightFile, open_weights

CONFIG_METADATA = "imagebind_config"


@torch.inference_mode(False)  # weights made in inference mode could never take part in a backward pass
def load_imagebind(path: str | os.PathLike, *, config: ImageBindConfig | None = None,
                   dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> ImageBind:
    """Load ImageBind from `imagebind_huge.pth`, or from a safetensors file of the same names.

    The three towers must be complete and nothing else may be there, except the thermal, depth and inertial
    towers of the published file, which are skipped. Tensors are cast and moved one by one: there is never a
    second copy of the model in memory. config: the towers' sizes; by default what the file's metadata says,
    and without metadata `HUGE`.

    Raises CheckpointError for a missing, damaged or unsafe file and for one that holds another model.
    """
    path = Path(path)
    with open_weights(path) as weights:
        with torch.device("meta"):
            model = ImageBind(config or _config(path, weights.metadata))
        names = {official_name(name): name for name in model.state_dict()}
        shapes = {official: tuple(model.get_parameter(name).shape) for official, name in names.items()}
        _require_same(path, weights, {**shapes, CAUSAL_MASK: (TEXT_LENGTH, TEXT_LENGTH)})
        for official, name in names.items():
            tensor = weights.take(official)
            if not tensor.is_floating_point():
                raise CheckpointError(f"{path}: {official} holds {tensor.dtype}, not floating-point weights. "
                                      "Choose a file that is not quantised.")
            # Always a copy: a tensor that stays mapped would change or vanish together with the file.
            _assign(model, name, tensor.to(device=device, dtype=dtype, copy=True))
    return model


def save_imagebind(model: ImageBind, path: str | os.PathLike) -> None:
    """Write the three towers as a safetensors file with the published names, and their sizes in the metadata.

    The file appears under its name only when it is complete.
    """
    from safetensors.torch import save_file

    state = {name: tensor.contiguous() for name, tensor in official_state_dict(model).items()}
    with written_whole(path) as partial:
        save_file(state, partial, metadata={"format": "pt", CONFIG_METADATA: model.config.to_json()})


def _config(path: Path, metadata: Mapping[str, str]) -> ImageBindConfig:
    if CONFIG_METADATA not in metadata:
        return HUGE
    try:
        return ImageBindConfig.from_json(metadata[CONFIG_METADATA])
    except AlignerError as error:
        raise CheckpointError(f"{path}: its metadata are damaged. {error}") from error


def _require_same(path: Path, weights: WeightFile, wanted: Mapping[str, tuple[int, ...]]) -> None:
    found = {name: shape for name, shape in weights.shapes.items() if not name.startswith(OTHER_MODALITIES)}
    if not found.keys() & wanted.keys():
        raise CheckpointError(f"{path} is not an ImageBind checkpoint. It holds: {listed(weights.shapes)}.")
    faults = {
        "missing": sorted(wanted.keys() - found.keys()),
        "unexpected": sorted(found.keys() - wanted.keys()),
        "of another shape": [f"{name} {found[name]} instead of {shape}" for name, shape in wanted.items()
                             if name in found and found[name] != shape],
    }
    if any(faults.values()):
        spelled = "; ".join(f"{fault}: {listed(names)}" for fault, names in faults.items() if names)
        raise CheckpointError(f"{path} does not hold the expected ImageBind towers. {spelled}.")


def _assign(model: nn.Module, name: str, tensor: torch.Tensor) -> None:
    module, _, parameter = name.rpartition(".")
    setattr(model.get_submodule(module), parameter, nn.Parameter(tensor, requires_grad=False))
