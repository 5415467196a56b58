"""Stable Diffusion 1.5 from a single file with the original names, the usual form of shared checkpoints."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from ...errors import CheckpointError
from ...files.json_objects import json_object
from ...files.strict_loading import fill, require_same, without_unread
from ...files.weights import WeightFile, open_weights, save_weights
from .kinds import BASE, require_kind
from .networks import COMPONENTS, config_of, published_config, settle
from .original_names import (
    TEXT_PREFIX,
    UNET_PREFIX,
    VAE_PREFIX,
    original_shape,
    original_text_names,
    original_unet_names,
    original_vae_names,
)
from .tokenizer import clip_tokenizer

CONFIG_METADATA = "stable_diffusion_config"

_NAMES = {"unet": original_unet_names, "vae": original_vae_names, "text_encoder": original_text_names}
_PARTS = {UNET_PREFIX: "U-Net", VAE_PREFIX: "VAE", TEXT_PREFIX: "text encoder"}

#: Tensors of checkpoints that are known to be read by no network: noise schedules, training's averaged copies, losses
#: and learned words, position ids, and CLIP's logit scale and text projection, which merging tools and ComfyUI save.
_UNREAD = re.compile(
    r"(betas|alphas_cumprod(_prev)?|(sqrt|sqrt_one_minus|log_one_minus|sqrt_recip|sqrt_recipm1)_alphas_cumprod"
    r"|posterior_variance|posterior_log_variance_clipped|posterior_mean_coef[12]"
    r"|denoiser\.sigmas|scale_factor|logvar"
    r"|(.*\.)?model_ema\..*|first_stage_model\.loss\..*|embedding_manager\..*"
    r"|cond_stage_model\.transformer\.(text_model\.)?embeddings\.position_ids"
    r"|cond_stage_model\.(logit_scale|text_projection(\.weight)?|transformer\.text_projection(\.weight)?))"
)

#: Some checkpoints (NovelAI's and models merged with it) omit the level text_model in the text encoder's names.
_SHORT_TEXT_NAME = re.compile(r"cond_stage_model\.transformer\.(?!text_model\.)")


class SingleFile:
    """An open checkpoint whose names, shapes and metadata have been read, but not its weights."""

    def __init__(self, weights: WeightFile):
        require_kind(weights, BASE)
        self.path, self.weights = weights.path, weights.renamed(_usual_name)
        self.configs = _configs(weights)
        self.scheduler_config = published_config("scheduler")

    def tokenizer(self):
        """CLIP's tokenizer; checkpoints contain none."""
        return clip_tokenizer()

    def require(self, networks: Mapping[str, nn.Module]) -> None:
        """Check that the file holds the weights of these networks, except motion modules. See `without_unread`.

        Raises CheckpointError if not.
        """
        for prefix, part in _PARTS.items():
            if not any(name.startswith(prefix) for name in self.weights.shapes):
                raise CheckpointError(
                    f"{self.path} holds no {part}. Choose a full checkpoint of Stable Diffusion 1.5, "
                    "with U-Net, VAE and text encoder."
                )
        wanted: dict[str, tuple[int, ...]] = {}
        for name, network in networks.items():
            shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
            wanted |= {
                original: original_shape(original, shapes[key]) for key, original in _NAMES[name](network).items()
            }
        require_same(
            without_unread(self.weights, wanted),
            wanted,
            kind="a Stable Diffusion 1.5 checkpoint",
            parts="weights of Stable Diffusion 1.5",
        )

    def fill(self, name: str, network: nn.Module, *, dtype: torch.dtype, device: torch.device | str) -> None:
        """Load the weights of one component into its empty network."""
        fill(network, _NAMES[name](network), self.weights, dtype=dtype, device=device)
        settle(network)


@contextmanager
def open_single_file(path: Path) -> Iterator[SingleFile]:
    """Open a checkpoint. Raises CheckpointError if it is missing, damaged, unsafe or another model."""
    with open_weights(path) as weights:
        yield SingleFile(weights)


def save_single_file(path: str | os.PathLike, unet: nn.Module, vae: nn.Module, text_encoder: nn.Module) -> None:
    """Write the networks to one file with the original names.

    A .safetensors file stores the networks' sizes in its metadata. A file with any other suffix is written by
    torch.save without sizes and can be loaded only if the networks have Stable Diffusion 1.5's sizes.

    unet: a UNet2DConditionModel, or a UNetMotionModel, whose motion modules are left out.
    """
    networks = dict(zip(COMPONENTS, (unet, vae, text_encoder)))
    configs = {name: config_of(network) for name, network in networks.items()}
    state: dict[str, torch.Tensor] = {}
    for name, network in networks.items():
        tensors = network.state_dict()
        state |= {
            original: tensors[key].reshape(original_shape(original, tensors[key].shape))
            for key, original in _NAMES[name](network).items()
        }
    save_weights(path, state, {CONFIG_METADATA: json.dumps(configs)})


def _usual_name(name: str) -> str | None:
    """The usual original name of a tensor; None for tensors that no network uses."""
    return None if _UNREAD.fullmatch(name) else _SHORT_TEXT_NAME.sub(TEXT_PREFIX, name)


def _configs(weights: WeightFile) -> dict[str, dict]:
    """The configs in the file's metadata, or else Stable Diffusion 1.5's. Raises CheckpointError if damaged."""
    if CONFIG_METADATA not in weights.metadata:
        return {name: published_config(name) for name in COMPONENTS}
    try:
        configs = json_object(weights.metadata[CONFIG_METADATA])
        return {name: dict(configs[name]) for name in COMPONENTS}
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{weights.path}: its metadata are damaged ({error!r}). Download it again.") from error
