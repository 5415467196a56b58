"""Stable Diffusion 1.5 with or without motion modules and LoRA, ready to run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from .folder import open_folder
from .lora import Lora, open_lora
from .motion import open_motion, with_motion
from .networks import COMPONENTS, empty_network, network_class
from .single_file import open_single_file


@dataclass(frozen=True)
class StableDiffusion:
    """The components of a base model, frozen and in eval mode.

    unet: UNet2DConditionModel, or UNetMotionModel if there is a motion module. vae: AutoencoderKL. text_encoder:
    CLIPTextModel. tokenizer: CLIPTokenizer of model_max_length 77. scheduler_config: the base model's own.
    """

    unet: nn.Module
    vae: nn.Module
    text_encoder: nn.Module
    tokenizer: object
    scheduler_config: dict


@torch.inference_mode(False)  # weights made in inference mode could never take part in a backward pass
def load_stable_diffusion(
    base: str | Path,
    motion: str | Path | None = None,
    *,
    loras: Sequence[Lora] = (),
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> StableDiffusion:
    """Load Stable Diffusion 1.5, or what was trained from it, without asking any server.

    base: a folder in the diffusers layout, or a single file with the original names. motion: a folder that holds a
    MotionAdapter, or a file with AnimateDiff's names (mm_sd_v15, mm_sd_v15_v2, v3_sd15_mm). loras: merged into the
    weights, in that order. Everything is compared before the first weight is read, as far as configs and single files
    tell, and each tensor is cast and moved by itself: there is never a second copy of a single file's model in memory.

    Raises CheckpointError, which says what a file is and what to choose instead, for missing, damaged and unsafe files,
    for another model, and for missing, unexpected or misshapen weights.
    """
    base = Path(base)
    with ExitStack() as files:
        source = files.enter_context(open_folder(base) if base.is_dir() else open_single_file(base))
        networks = {name: empty_network(network_class(name), source.configs[name], source.path) for name in COMPONENTS}
        modules = files.enter_context(open_motion(Path(motion))) if motion is not None else None
        if modules:
            networks["unet"] = with_motion(networks["unet"], modules)
            modules.require(networks["unet"])
        source.require(networks)
        changes = [files.enter_context(open_lora(lora, networks)) for lora in loras]
        tokenizer = source.tokenizer()
        # A folder whose tokenizer does not name its limit would mean 1e30 tokens.
        positions = networks["text_encoder"].config.max_position_embeddings
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions)

        for name, network in networks.items():
            source.fill(name, network, dtype=dtype, device=device)
        if modules:
            modules.fill(networks["unet"], dtype=dtype, device=device)
        for change in changes:
            change.merge(networks)
    for network in networks.values():
        network.eval().requires_grad_(False)
    return StableDiffusion(**networks, tokenizer=tokenizer, scheduler_config=source.scheduler_config)
