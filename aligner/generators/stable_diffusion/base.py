"""Stable Diffusion 1.5 with or without motion modules and LoRA, ready to run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .folder import Folder, open_folder
from .lora import Lora, open_lora
from .motion import open_motion, with_motion
from .networks import COMPONENTS, empty_network, network_class
from .single_file import SingleFile, open_single_file


@dataclass(frozen=True)
class StableDiffusion:
    """The components of a base model, frozen and in eval mode.

    unet: UNet2DConditionModel, or UNetMotionModel if there is a motion module. vae: AutoencoderKL. text_encoder:
    CLIPTextModel. tokenizer: CLIPTokenizer with a model_max_length of 77. scheduler_config: of the base model.
    """

    unet: nn.Module
    vae: nn.Module
    text_encoder: nn.Module
    tokenizer: Any
    scheduler_config: dict


@torch.inference_mode(False)  # weights created in inference mode cannot be used in a backward pass
def load_stable_diffusion(
    base: str | Path,
    motion: str | Path | None = None,
    *,
    loras: Sequence[Lora] = (),
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> StableDiffusion:
    """Load Stable Diffusion 1.5, or a model trained from it, without network access.

    Configs, and the names and shapes in single files, are checked before any weight is read. Each tensor is cast and
    moved on its own, so that memory never holds a second copy of a single file's model.

    base: a folder in the diffusers layout, or a single file with the original names. motion: a folder with a
    MotionAdapter, or a file with AnimateDiff's names (mm_sd_v15, mm_sd_v15_v2, v3_sd15_mm). loras: merged into the
    weights, in this order. dtype, device: of the loaded weights.

    Raises CheckpointError for missing, damaged and unsafe files, for other models, and for missing, unexpected or
    misshapen weights. The message says what a file is and what to choose instead.

    Example:
        model = load_stable_diffusion("v1-5-pruned-emaonly.safetensors", "mm_sd_v15_v2.ckpt")
    """
    base = Path(base)
    source: Folder | SingleFile
    with ExitStack() as files:
        if base.is_dir():
            source = files.enter_context(open_folder(base))
        else:
            source = files.enter_context(open_single_file(base))
        networks = {name: empty_network(network_class(name), source.configs[name], source.path) for name in COMPONENTS}
        modules = files.enter_context(open_motion(Path(motion))) if motion is not None else None
        if modules:
            networks["unet"] = with_motion(networks["unet"], modules)
            modules.require(networks["unet"])
        source.require(networks)
        changes = [files.enter_context(open_lora(lora, networks)) for lora in loras]
        tokenizer = source.tokenizer()
        # transformers sets a limit of 1e30 tokens if the tokenizer's folder does not state one.
        text_config: Any = networks["text_encoder"].config
        tokenizer.model_max_length = min(tokenizer.model_max_length, text_config.max_position_embeddings)

        for name, network in networks.items():
            source.fill(name, network, dtype=dtype, device=device)
        if modules:
            modules.fill(networks["unet"], dtype=dtype, device=device)
        for change in changes:
            change.merge(networks)
    for network in networks.values():
        network.eval().requires_grad_(False)
    return StableDiffusion(**networks, tokenizer=tokenizer, scheduler_config=source.scheduler_config)
