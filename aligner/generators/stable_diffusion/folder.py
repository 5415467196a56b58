"""Stable Diffusion 1.5 from a folder in the diffusers layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from ...errors import CheckpointError
from ...files.diffusers_folders import (
    load_component,
    load_part,
    read_json,
    require_pipeline,
    require_vocabulary,
)
from ...files.strict_loading import fill
from ...files.weights import held_weights
from .networks import COMPONENTS, network_class, published_config, settle

PIPELINE = "StableDiffusionPipeline"


class Folder:
    """A model folder whose configs have been read and checked, but not its weights."""

    def __init__(self, folder: Path):
        _refuse_motion_module(folder)
        self.path = require_pipeline(folder, PIPELINE, (*COMPONENTS, "tokenizer", "scheduler"))
        self.configs = {name: read_json(folder / name / "config.json") for name in COMPONENTS}
        self.scheduler_config = read_json(folder / "scheduler" / "scheduler_config.json")
        _refuse_other_models(folder, self.configs["unet"])

    def tokenizer(self):
        """The folder's CLIPTokenizer. Raises CheckpointError if its vocabulary does not fit the text encoder."""
        from transformers import CLIPTokenizer

        tokenizer = load_part(CLIPTokenizer, self.path, "tokenizer")
        words = self.configs["text_encoder"].get("vocab_size", published_config("text_encoder")["vocab_size"])
        require_vocabulary(tokenizer, words, self.path / "tokenizer")
        return tokenizer

    def require(self, networks: Mapping[str, nn.Module]) -> None:
        """Does nothing: `fill` checks the weights, because `load_component` compares them with the configs."""

    def fill(self, name: str, network: nn.Module, *, dtype: torch.dtype, device: torch.device | str) -> None:
        """Load the weights of one component into its empty network. Raises CheckpointError as `load_component` does."""
        state = load_component(network_class(name), self.path, name, dtype, "cpu").state_dict()
        fill(network, {key: key for key in state}, held_weights(self.path / name, state), dtype=dtype, device=device)
        settle(network)


@contextmanager
def open_folder(folder: Path) -> Iterator[Folder]:
    """Open a model folder. Raises CheckpointError if it is incomplete or holds another model."""
    yield Folder(folder)


def _refuse_motion_module(folder: Path) -> None:
    config = folder / "config.json"
    if config.is_file() and read_json(config).get("_class_name") == "MotionAdapter":
        raise CheckpointError(
            f"{folder} is a motion module, not a base model. Choose a folder of Stable Diffusion "
            "1.5, with model_index.json."
        )


def _refuse_other_models(folder: Path, unet: Mapping) -> None:
    channels = unet.get("in_channels", 4)
    if channels != 4:
        raise CheckpointError(
            f"{folder} takes {channels} channels instead of the 4 of a latent: it is a model for inpainting or for "
            "editing pictures. Choose Stable Diffusion 1.5 itself."
        )
    if unet.get("use_linear_projection"):
        raise CheckpointError(f"{folder} is a Stable Diffusion 2 model. Choose one of Stable Diffusion 1.5.")
