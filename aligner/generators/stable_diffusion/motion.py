"""AnimateDiff's motion modules: loaded from an original file or a diffusers folder into a U-Net, and saved."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import CheckpointError, listed
from ...files.diffusers_folders import load_component, read_json
from ...files.json_objects import json_object
from ...files.strict_loading import fill, require_same, without_unread
from ...files.weights import WeightFile, held_weights, open_weights, save_weights
from .kinds import MOTION, require_kind
from .networks import config_of, empty_network
from .original_names import original_motion_names, same_positions

CONFIG_METADATA = "motion_adapter_config"

_PIA = "is made for PIA, which animates a given picture. Choose another motion module."

#: The start of a weight of a motion module, after what training and other programs put before it.
_MODULE = re.compile(r"(.*?\.)??(?=((down|up)_blocks\.\d+|mid_block)\.motion_modules\.)")

#: The level that only the original layout has.
_ORIGINAL = ".temporal_transformer."


class MotionFile:
    """An open file in the original layout, such as mm_sd_v15_v2.ckpt, or in that of diffusers.

    Training saves the whole U-Net; only its motion modules are read.
    """

    def __init__(self, weights: WeightFile):
        require_kind(weights, MOTION)
        _refuse_pia(weights)
        self.path, self.weights = weights.path, weights.renamed(_motion_name)
        if not self.weights.shapes:
            raise CheckpointError(f"{self.path} is not {MOTION}. It holds: {listed(weights.shapes)}.")
        self.is_original = any(_ORIGINAL in name for name in self.weights.shapes)
        self.config = _config(self.weights, _ORIGINAL if self.is_original else ".")

    def require(self, unet: nn.Module) -> None:
        """Check that the file holds the motion modules of a UNetMotionModel. Raises CheckpointError if not."""
        state: dict[str, torch.Tensor] = unet.state_dict()
        wanted: dict[str, tuple[int, ...]] = {}
        for name, stored in self._names(unet).items():
            wanted[stored] = tuple(state[name].shape)
            if copy := same_positions(stored):
                wanted[copy] = wanted[stored]
        require_same(without_unread(self.weights, wanted), wanted, kind=MOTION, parts="motion modules")

    def fill(self, unet: nn.Module, *, dtype: torch.dtype, device: torch.device | str) -> None:
        """Load the motion modules into an empty UNetMotionModel.

        Raises CheckpointError if the two copies of a table of positions differ, which diffusers cannot represent.
        """
        names = self._names(unet)
        fill(unet, names, self.weights, dtype=dtype, device=device)
        for name, stored in names.items():
            copy = same_positions(stored)
            if copy and not torch.equal(self.weights.take(copy).to(device, dtype), unet.get_buffer(name)):
                raise CheckpointError(
                    f"{self.path}: {copy} differs from {stored}, which is not supported. Choose another motion module."
                )

    def _names(self, unet: nn.Module) -> dict[str, str]:
        """{name: its name in the file} of the motion modules."""
        originals = original_motion_names(unet)
        return originals if self.is_original else {name: name for name in originals}


class MotionFolder:
    """A folder with a MotionAdapter of diffusers, whose config has been read but not its weights."""

    def __init__(self, folder: Path):
        if (folder / "model_index.json").is_file():
            raise CheckpointError(
                f"{folder} is a base model, not a motion module. Choose a folder that holds a MotionAdapter."
            )
        if not (folder / "config.json").is_file():
            raise CheckpointError(
                f"{folder} holds no motion module: it has no config.json. Choose a folder that holds a MotionAdapter."
            )
        self.path, self.config = folder.absolute(), read_json(folder / "config.json")
        if (found := self.config.get("_class_name")) != "MotionAdapter":
            raise CheckpointError(f"{folder} holds a {found}, not a MotionAdapter. Choose another folder.")

    def require(self, unet: nn.Module) -> None:
        """Does nothing: `fill` checks the weights, because `load_component` compares them with the config."""

    def fill(self, unet: nn.Module, *, dtype: torch.dtype, device: torch.device | str) -> None:
        """Load the motion modules into an empty UNetMotionModel. Raises CheckpointError as `load_component` does."""
        from diffusers import MotionAdapter

        state = load_component(MotionAdapter, self.path.parent, self.path.name, dtype, "cpu").state_dict()
        fill(unet, {name: name for name in state}, held_weights(self.path, state), dtype=dtype, device=device)


@contextmanager
def open_motion(path: Path) -> Iterator[MotionFile | MotionFolder]:
    """Open a motion module. Raises CheckpointError if it is missing, damaged, unsafe or something else."""
    if path.is_dir():
        yield MotionFolder(path)
    else:
        with open_weights(path) as weights:
            yield MotionFile(weights)


def with_motion(unet: Any, motion: MotionFile | MotionFolder) -> nn.Module:
    """The empty UNetMotionModel of an empty UNet2DConditionModel and motion modules.

    Raises CheckpointError if the motion modules are made for a U-Net of other sizes.
    """
    from diffusers import MotionAdapter, UNetMotionModel

    # Original files do not state the number of groups of the norms. It is that of the U-Net.
    config = {"motion_norm_num_groups": unet.config["norm_num_groups"], **motion.config}
    adapter: Any = empty_network(MotionAdapter, config, motion.path)
    _require_fit(motion.path, adapter.config, unet.config)
    with torch.device("meta"):
        return UNetMotionModel.from_unet2d(unet, adapter, load_weights=False)


def save_motion_module(path: str | os.PathLike, motion: nn.Module) -> None:
    """Write the motion modules of a MotionAdapter to one file with AnimateDiff's names.

    A .safetensors file stores their sizes in its metadata. A file with any other suffix is written by torch.save
    without sizes; loading it assumes 8 attention heads, as in the published modules.
    """
    tensors: dict[str, torch.Tensor] = motion.state_dict()
    state: dict[str, torch.Tensor] = {}
    for name, original in original_motion_names(motion).items():
        state[original] = tensors[name]
        if copy := same_positions(original):
            state[copy] = tensors[name].clone()
    save_weights(path, state, {CONFIG_METADATA: json.dumps(config_of(motion))})


def _motion_name(name: str) -> str | None:
    """The name of a weight of a motion module without what stands before it; None for other weights."""
    found = _MODULE.match(name)
    return name[found.end() :] if found else None


def _config(weights: WeightFile, level: str) -> dict:
    """The config of the MotionAdapter in a file, from its metadata or else from the names and shapes of its weights.

    level: between the name of a motion module and its layers. Raises CheckpointError if the metadata is damaged or the
    weights are no motion module.
    """
    if CONFIG_METADATA in weights.metadata:
        try:
            config = json_object(weights.metadata[CONFIG_METADATA])
            config["block_out_channels"]  # without it diffusers would use its default sizes
            return config
        except (ValueError, KeyError) as error:
            raise CheckpointError(
                f"{weights.path}: its metadata are damaged ({error!r}). Download it again."
            ) from error
    shapes = weights.shapes
    widths: list[int] = []
    while shape := shapes.get(f"down_blocks.{len(widths)}.motion_modules.0{level}norm.weight"):
        widths.append(shape[0])
    tables = (".pos_encoder.pe", ".pos_embed.pe")
    positions = [shape[1] for name, shape in shapes.items() if name.endswith(tables) and len(shape) == 3]
    if not widths or not positions:
        raise CheckpointError(
            f"{weights.path} is not a motion module as AnimateDiff or diffusers writes it. It holds: {listed(shapes)}."
        )
    layers = {name.split(".")[3] for name in shapes if name.startswith("down_blocks.0.motion_modules.")}
    return {
        "block_out_channels": widths,
        "motion_layers_per_block": len(layers),
        "motion_max_seq_length": positions[0],
        "use_motion_mid_block": any(name.startswith("mid_block.") for name in shapes),
    }


def _refuse_pia(weights: WeightFile) -> None:
    """Raise CheckpointError for a first layer that takes a picture beside the 4 channels of a latent."""
    for name, shape in weights.shapes.items():
        if name.endswith("conv_in.weight") and len(shape) == 4 and shape[1] != 4:
            raise CheckpointError(f"{weights.path} {_PIA}")


def _require_fit(path: Path, motion: Mapping, unet: Mapping) -> None:
    """Raise CheckpointError unless the configs of motion modules and U-Net have the same sizes."""
    if motion["conv_in_channels"]:
        raise CheckpointError(f"{path} {_PIA}")
    wanted, found = list(unet["block_out_channels"]), list(motion["block_out_channels"])
    if wanted != found:
        raise CheckpointError(
            f"{path} is made for another base model, for example SDXL: its blocks have "
            f"{listed(found)} channels, those of the base model {listed(wanted)}. "
            "Choose a motion module for Stable Diffusion 1.5."
        )
    wanted, found = (
        _per_block(layers, len(wanted)) for layers in (unet["layers_per_block"], motion["motion_layers_per_block"])
    )
    if wanted != found:
        raise CheckpointError(
            f"{path} is made for another base model: its blocks have {listed(found)} layers, those "
            f"of the base model {listed(wanted)}. Choose a motion module for Stable Diffusion 1.5."
        )


def _per_block(layers: int | list[int], blocks: int) -> list[int]:
    return [layers] * blocks if isinstance(layers, int) else list(layers)
