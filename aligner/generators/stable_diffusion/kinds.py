"""The kind of a weight file, recognised by the names of its tensors, so that messages can name a wrong choice."""

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

#: {kind: pattern}. The kind of a file is the first whose pattern matches the start of some tensor's name.
_PATTERNS = {
    "an SDXL checkpoint": r"conditioner\.embedders\.|model\.diffusion_model\.label_emb\.",
    "a Stable Diffusion 2 checkpoint": r"cond_stage_model\.model\.",
    "a checkpoint for v-prediction": r"v_pred$|edm_vpred\.",
    BASE: r"model\.diffusion_model\.|first_stage_model\.|cond_stage_model\.",
    "a motion LoRA": r"(?=.*motion_modules)(?=.*lora)",
    LORA: r"lora_|lycoris_|.*(\.lora_|_lora\.|\.lora\.)|.*\.(hada_w1_a|lokr_w[12](_a)?|diff(_b)?|[wb]_norm)$",
    MOTION: r".*motion_modules\.",
}

_FIRST_LAYER = "model.diffusion_model.input_blocks.0.0.weight"

#: {input channels of the U-Net: kind}. More than the 4 channels of a latent are those of a given picture.
_CHANNELS: dict[int | None, str] = {9: "an inpainting checkpoint", 8: "an InstructPix2Pix checkpoint"}


def kind_of(weights: WeightFile) -> str | None:
    """The kind of a file in words, with an article; None if it is not recognised."""
    for kind, pattern in _PATTERNS.items():
        if any(re.match(pattern, name) for name in weights.shapes):
            return _CHANNELS.get(_channels(weights), BASE) if kind == BASE else kind
    return None


def require_kind(weights: WeightFile, wanted: str) -> None:
    """Raise CheckpointError if a file is of another known kind. A motion LoRA counts as a LoRA."""
    kind = kind_of(weights)
    accepted = (wanted, None, "a motion LoRA") if wanted == LORA else (wanted, None)
    if kind not in accepted:
        raise CheckpointError(f"{weights.path} is {kind}, not {wanted}. {_INSTEAD[wanted]}")


def _channels(weights: WeightFile) -> int | None:
    """The number of input channels of the U-Net; None if its first layer is missing."""
    shape = weights.shapes.get(_FIRST_LAYER, ())
    return shape[1] if len(shape) == 4 else None
