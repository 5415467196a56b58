"""The networks of Stable Diffusion 1.5 without weights, and their configs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import CheckpointError

COMPONENTS = ("unet", "vae", "text_encoder")

#: The settings of a CLIPTextConfig that change the results. Others differ between versions of transformers, or name
#: code.
_TEXT_SETTINGS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "hidden_act",
    "layer_norm_eps",
    "projection_dim",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
)


def published_config(name: str) -> dict:
    """The published config of Stable Diffusion 1.5's "unet", "vae", "text_encoder" or "scheduler"."""
    return json.loads((Path(__file__).parent / "configs" / f"{name}.json").read_text(encoding="utf-8"))


def network_class(name: str) -> Any:
    """The class of a component, of diffusers or transformers. name: one of COMPONENTS."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    classes: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}
    return classes[name]


def empty_network(cls: Any, config: Mapping, source: Path) -> nn.Module:
    """A network on the meta device, so that its weights take no memory.

    cls: a model class of diffusers, or CLIPTextModel. source: of the config, for messages.
    Raises CheckpointError if the config does not describe such a network.
    """
    try:
        with torch.device("meta"):
            if hasattr(cls, "from_config"):  # of diffusers
                return cls.from_config(dict(config))
            return cls(cls.config_class(**{name: config[name] for name in _TEXT_SETTINGS if name in config}))
    except Exception as error:  # with a damaged config the libraries can raise any exception
        raise CheckpointError(
            f"{source} describes its {cls.__name__} by a config that cannot be used "
            f"({type(error).__name__}: {error}). Download it again."
        ) from error


def config_of(network: nn.Module) -> dict:
    """The config of a network for `empty_network`, as a dict that JSON can store."""
    config: Any = network.config
    if hasattr(config, "to_dict"):  # of transformers
        return {name: getattr(config, name) for name in _TEXT_SETTINGS}
    return {name: value for name, value in config.items() if not name.startswith("_")}


def settle(network: nn.Module) -> None:
    """Compute the position ids, a buffer that is in no file, on the device of the weights."""
    for module in network.modules():
        if "position_ids" in dict(module.named_buffers(recurse=False)):
            embedding: Any = module.position_embedding
            module.position_ids = torch.arange(len(embedding.weight), device=embedding.weight.device)[None]
