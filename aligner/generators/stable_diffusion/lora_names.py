"""Naming schemes of LoRA files: the role of each tensor, and the weight that it changes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from .original_names import library_motion_name

#: {end of a tensor's name: role}: kohya's scripts, peft, diffusers with layers (two versions), and diffusers with
#: attention processors, as in AnimateDiff's files.
_ENDINGS = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "mid",
    ".alpha": "alpha",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
}

_UNSUPPORTED = {
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "dora_scale": "DoRA",
    "lora_magnitude_vector": "DoRA",
    "oft_": "OFT",
    "boft_": "BOFT",
    "base_model.model.": "LoRA in peft's own layout, whose scale is in another file",
}

_SDXL = (
    "lora_te1_",
    "lora_te2_",
    "text_encoder_2.",
    "lora_unet_input_blocks_",
    "lora_unet_middle_block_",
    "lora_unet_output_blocks_",
)


def split(name: str) -> tuple[str, str] | None:
    """(address, role) of a tensor; None if it is no part of a LoRA.

    The address names the changed layer, see `addresses`. The role is "down", "up", "mid" or "alpha".
    """
    for ending, role in _ENDINGS.items():
        if name.endswith(ending):
            return _address(name.removesuffix(ending)), role
    return None


def addresses(networks: Mapping[str, nn.Module]) -> dict[str, tuple[str, str]]:
    """{address: (component, name of the weight)} for all matrices and kernels that a LoRA can change.

    Each weight has an address with dots, as in diffusers, and one with underscores, as in kohya's scripts.
    """
    found = {}
    for name in _matrices(networks["unet"]):
        layer = name.removesuffix(".weight")
        found[f"unet.{layer}"] = found["lora_unet_" + layer.replace(".", "_")] = "unet", name
    for name in _matrices(networks["text_encoder"]):
        # The level text_model exists only in some versions of transformers.
        short = name.removesuffix(".weight").removeprefix("text_model.")
        for layer in (short, f"text_model.{short}"):
            found[f"text_encoder.{layer}"] = found["lora_te_" + layer.replace(".", "_")] = "text_encoder", name
    return found


def unsupported_kind(names: list[str]) -> str | None:
    """The name of a variant of LoRA that is not supported; None if the file holds none."""
    return next((kind for part, kind in _UNSUPPORTED.items() if any(part in name for name in names)), None)


def is_for_sdxl(names: list[str]) -> bool:
    """Whether some tensor belongs to a LoRA for SDXL."""
    return any(name.startswith(_SDXL) for name in names)


def is_motion(name: str) -> bool:
    """Whether a tensor or address belongs to a motion module."""
    return "motion_modules" in name


def _matrices(network: nn.Module) -> list[str]:
    """The names of the weights with at least two axes."""
    return [name for name, tensor in network.named_parameters() if name.endswith(".weight") and tensor.ndim >= 2]


def _address(layer: str) -> str:
    """The address of a layer as `addresses` spells it."""
    if layer.startswith("lora_"):
        return layer
    layer = library_motion_name(layer.removeprefix("module.")).replace(".processor.", ".")
    if layer.endswith(".to_out"):
        layer += ".0"
    if layer.startswith("text_encoder."):
        return _text_address(layer)
    return layer if layer.startswith("unet.") else f"unet.{layer}"


def _text_address(layer: str) -> str:
    """The address of a layer of the text encoder. Early versions of diffusers used the U-Net's projection names."""
    for ours, theirs in {".q_proj": ".to_q", ".k_proj": ".to_k", ".v_proj": ".to_v", ".out_proj": ".to_out.0"}.items():
        if layer.endswith(theirs):
            return layer.removesuffix(theirs) + ours
    return layer
