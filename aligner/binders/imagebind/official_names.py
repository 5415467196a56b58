"""How the published ImageBind checkpoint names the weights of these towers."""

from __future__ import annotations

import torch

from .towers import TEXT_LENGTH, Towers

#: Weights of the modalities that this implementation leaves out.
OTHER_MODALITIES = tuple(
    f"modality_{part}.{modality}."
    for part in ("preprocessors", "trunks", "heads", "postprocessors")
    for modality in ("thermal", "depth", "imu")
)

#: A constant that the checkpoint carries although it follows from the text's length.
CAUSAL_MASK = "modality_preprocessors.text.mask"

_TOWER_NAMES = {
    "vision.patch_weight": "modality_preprocessors.vision.rgbt_stem.proj.1.weight",
    "vision.class_token": "modality_preprocessors.vision.cls_token",
    "vision.positions": "modality_preprocessors.vision.pos_embedding_helper.pos_embed",
    "vision.pre_norm": "modality_trunks.vision.pre_transformer_layer.0",
    "vision.blocks": "modality_trunks.vision.blocks",
    "vision.norm": "modality_heads.vision.0",
    "vision.projection": "modality_heads.vision.2",
    "text.token_embedding": "modality_preprocessors.text.token_embedding",
    "text.positions": "modality_preprocessors.text.pos_embed",
    "text.blocks": "modality_trunks.text.blocks",
    "text.norm": "modality_heads.text.proj.0",
    "text.projection": "modality_heads.text.proj.1",
    "text.log_scale": "modality_postprocessors.text.1.log_logit_scale",
    "audio.patches": "modality_preprocessors.audio.rgbt_stem.proj",
    "audio.patch_norm": "modality_preprocessors.audio.rgbt_stem.norm_layer",
    "audio.class_token": "modality_preprocessors.audio.cls_token",
    "audio.positions": "modality_preprocessors.audio.pos_embedding_helper.pos_embed",
    "audio.blocks": "modality_trunks.audio.blocks",
    "audio.norm": "modality_heads.audio.0",
    "audio.projection": "modality_heads.audio.2",
    "audio.log_scale": "modality_postprocessors.audio.1.log_logit_scale",
}

_BLOCK_NAMES = {
    ".attention.in_proj.weight": ".attn.in_proj_weight",
    ".attention.in_proj.bias": ".attn.in_proj_bias",
    ".attention.out_proj.": ".attn.out_proj.",
    ".attention.bias_key": ".attn.bias_k",
    ".attention.bias_value": ".attn.bias_v",
}


def official_name(name: str) -> str:
    """The published name of the weight that `ImageBind.state_dict` calls `name`."""
    tower, part, *rest = name.split(".")
    official = ".".join([_TOWER_NAMES[f"{tower}.{part}"], *rest])
    for ours, theirs in _BLOCK_NAMES.items():
        official = official.replace(ours, theirs)
    return official


def official_state_dict(model: Towers) -> dict[str, torch.Tensor]:
    """The model's weights, not copied, under exactly the names of the published checkpoint's three towers."""
    state = {official_name(name): tensor for name, tensor in model.state_dict().items()}
    mask = torch.full((TEXT_LENGTH, TEXT_LENGTH), float("-inf"), device=model.text.device).triu(1)
    return {**state, CAUSAL_MASK: mask}
