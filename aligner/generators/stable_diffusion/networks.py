"""The networks of Stable Diffusion 1.5, without weights, and the sizes that describe them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from ...errors import CheckpointError

COMPONENTS = ("unet", "vae", "text_encoder")

#: What of a CLIPTextConfig decides what the network computes; the rest differs between versions of transformers.
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
    """Stable Diffusion 1.5's config of "unet", "vae", "text_encoder" or "scheduler" as it was published."""
    return json.loads((Path(__file__).parent / "configs" / f"{name}.json").read_text(encoding="utf-8"))


def network_class(name: str) -> type[nn.Module]:
    """The library's class of a component."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    return {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": CLIPTextModel}[name]


def empty_network(cls: type[nn.Module], config: Mapping, source: Path) -> nn.Module:
    """A network of the config's sizes whose weights take no memory: they are on the meta device.

    Raises CheckpointError that names the source of a config which describes no such network.
    """
    try:
        with torch.device("meta"):
            if hasattr(cls, "from_config"):  # of diffusers
                return cls.from_config(dict(config))
            return cls(cls.config_class(**config))
    except Exception as error:  # a damaged config makes the libraries fail in every way there is
        raise CheckpointError(
            f"{source} describes its {cls.__name__} by a config that cannot be used "
            f"({type(error).__name__}: {error}). Download it again."
        ) from error


def config_of(network: nn.Module) -> dict:
    """The sizes of a network as `empty_network` takes them, fit for JSON."""
    config = network.config
    if hasattr(config, "to_dict"):  # of transformers
        return {name: getattr(config, name) for name in _TEXT_SETTINGS}
    return {name: value for name, value in config.items() if not name.startswith("_")}


def settle(network: nn.Module) -> None:
    """Compute what is no weight and so is in no file, on the device of the weights."""
    for module in network.modules():
        if "position_ids" in dict(module.named_buffers(recurse=False)):
            table = module.position_embedding.weight
            module.position_ids = torch.arange(len(table), device=table.device)[None]
