"""What a weight file is, told from the names of its tensors, so that a mistaken choice is called by its name."""

from __future__ import annotations

import re

from ...errors import CheckpointError
from ...files.weights import WeightFile

BASE = "a Stable Diffusion 1 checkpoint"
MOTION = "a motion module"
LORA = "a LoRA"

_INSTEAD = {
    BASE: "Choose a full checkpoint of Stable Diffusion 1.5 or of a model that was trained from it.",
    MOTION: "Choose a motion module for Stable Diffusion 1.5, for example mm_sd_v15_v2.ckpt.",
    LORA: "Choose a LoRA for Stable Diffusion 1.5, or a motion LoRA.",
}

#: The first pattern that some tensor's name begins with decides.
_SIGNS = {
    "an SDXL checkpoint": r"conditioner\.embedders\.|model\.diffusion_model\.label_emb\.",
    "a Stable Diffusion 2 checkpoint": r"cond_stage_model\.model\.",
    BASE: r"model\.diffusion_model\.|first_stage_model\.|cond_stage_model\.",
    "a motion LoRA": r"(?=.*motion_modules)(?=.*lora)",
    LORA: r"lora_|lycoris_|.*(\.lora_|_lora\.|\.lora\.)",
    MOTION: r".*motion_modules\.",
}

_FIRST_LAYER = "model.diffusion_model.input_blocks.0.0.weight"

#: By the number of channels that the U-Net takes: the latent's 4, and for some models those of a given picture.
_CHANNELS = {9: "an inpainting checkpoint", 8: "an InstructPix2Pix checkpoint"}


def kind_of(weights: WeightFile) -> str | None:
    """In words, with article; None if nothing is recognised."""
    for kind, sign in _SIGNS.items():
        if any(re.match(sign, name) for name in weights.shapes):
            return _CHANNELS.get(_channels(weights), BASE) if kind == BASE else kind
    return None


def require_kind(weights: WeightFile, wanted: str) -> None:
    """Raises CheckpointError if a file is recognised as something else than wanted."""
    kind = kind_of(weights)
    accepted = (wanted, None, "a motion LoRA") if wanted == LORA else (wanted, None)
    if kind not in accepted:
        raise CheckpointError(f"{weights.path} is {kind}, not {wanted}. {_INSTEAD[wanted]}")


def _channels(weights: WeightFile) -> int | None:
    shape = weights.shapes.get(_FIRST_LAYER, ())
    return shape[1] if len(shape) == 4 else None
