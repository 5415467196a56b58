"""The names of weights in the original files of Stable Diffusion 1 and AnimateDiff, and their names in diffusers."""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from ...errors import AlignerError

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."
TEXT_PREFIX = "cond_stage_model.transformer.text_model."

_UNET_LAYERS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}

_UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}

_VAE_LAYERS = {
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.attentions.0": "mid.attn_1",
    "mid_block.resnets.1": "mid.block_2",
    "conv_norm_out": "norm_out",
}

_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}

_MOTION_LAYERS = {
    "norm1": "norms.0",
    "norm2": "norms.1",
    "norm3": "ff_norm",
    "attn1": "attention_blocks.0",
    "attn2": "attention_blocks.1",
    # The original has one copy of the table of positions per attention; diffusers has one for both.
    "pos_embed": "attention_blocks.0.pos_encoder",
}

_POSITIONS, _SAME_POSITIONS = ".attention_blocks.0.pos_encoder.pe", ".attention_blocks.1.pos_encoder.pe"


def original_unet_names(unet: nn.Module) -> dict[str, str]:
    """{name: original name} of the weights of a UNet2DConditionModel, or of a UNetMotionModel except motion modules.

    Raises AlignerError for weights that the original layout does not have.
    """
    names = known_unet_names(unet)
    for name in unet.state_dict():
        if name not in names and ".motion_modules." not in name:
            raise _no_place(name)
    return names


def known_unet_names(unet: nn.Module) -> dict[str, str]:
    """As `original_unet_names`, without weights that the original layout does not have."""
    layers = _unet_layers(unet)
    names = {}
    for name in unet.state_dict():
        if found := _split(name, layers):
            layer, original, rest = found
            if ".resnets." in layer:
                part, _, leaf = rest.rpartition(".")
                rest = f"{_UNET_RESNET[part]}.{leaf}"
            names[name] = f"{UNET_PREFIX}{original}.{rest}"
    return names


def original_vae_names(vae: nn.Module) -> dict[str, str]:
    """{name: original name} of the weights of an AutoencoderKL. Raises AlignerError as `original_unet_names` does."""
    layers = _vae_layers(vae)
    names = {}
    for name in vae.state_dict():
        found = _split(name, layers)
        if found is None:
            raise _no_place(name)
        layer, original, rest = found
        rest = rest.replace("conv_shortcut", "nin_shortcut")
        if ".attentions." in layer:
            part, _, leaf = rest.rpartition(".")
            rest = f"{_VAE_ATTENTION[part]}.{leaf}"
        names[name] = f"{VAE_PREFIX}{original}.{rest}"
    return names


def original_text_names(text_encoder: nn.Module) -> dict[str, str]:
    """{name: original name} of the weights of a CLIPTextModel.

    The level text_model exists only in old versions of transformers.
    """
    return {name: TEXT_PREFIX + name.removeprefix("text_model.") for name in text_encoder.state_dict()}


def original_motion_names(model: nn.Module) -> dict[str, str]:
    """{name: original name} of the motion modules in a MotionAdapter or UNetMotionModel."""
    return {name: original_motion_name(name) for name in model.state_dict() if ".motion_modules." in name}


def original_motion_name(name: str) -> str:
    """The original name of one weight of a motion module. Raises AlignerError for other weights."""
    found = re.fullmatch(r"(.*\.motion_modules\.\d+)\.(.*)", name)
    if found is None:
        raise AlignerError(f"{name} is no weight of a motion module.")
    module, inner = found.groups()
    return f"{module}.temporal_transformer." + ".".join(_MOTION_LAYERS.get(part, part) for part in inner.split("."))


def same_positions(original: str) -> str | None:
    """The original name of the second copy of a table of positions, from that of the first; None for other weights."""
    return original.replace(_POSITIONS, _SAME_POSITIONS) if original.endswith(_POSITIONS) else None


def original_shape(original: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a weight in an original file, where the VAE's attention consists of 1 x 1 convolutions.

    shape: in diffusers.
    """
    is_projection = re.search(r"\.mid\.attn_1\.(q|k|v|proj_out)\.weight$", original)
    return (*shape, 1, 1) if is_projection else tuple(shape)


def _unet_layers(unet: Any) -> dict[str, str]:
    """{layer: original layer} of a U-Net. The original numbers all blocks in one list; diffusers nests them."""
    layers, place = dict(_UNET_LAYERS), 1
    for b, block in enumerate(unet.down_blocks):
        for k in range(len(block.resnets)):
            layers |= {
                f"down_blocks.{b}.resnets.{k}": f"input_blocks.{place}.0",
                f"down_blocks.{b}.attentions.{k}": f"input_blocks.{place}.1",
            }
            place += 1
        if block.downsamplers:
            layers[f"down_blocks.{b}.downsamplers.0.conv"] = f"input_blocks.{place}.0.op"
            place += 1
    place = 0
    for b, block in enumerate(unet.up_blocks):
        for k in range(len(block.resnets)):
            layers |= {
                f"up_blocks.{b}.resnets.{k}": f"output_blocks.{place}.0",
                f"up_blocks.{b}.attentions.{k}": f"output_blocks.{place}.1",
            }
            place += 1
        after = 2 if getattr(block, "attentions", None) else 1
        layers[f"up_blocks.{b}.upsamplers.0.conv"] = f"output_blocks.{place - 1}.{after}.conv"
    return layers


def _vae_layers(vae: Any) -> dict[str, str]:
    """{layer: original layer} of a VAE."""
    layers = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for half in ("encoder", "decoder"):
        layers |= {f"{half}.{name}": f"{half}.{original}" for name, original in _VAE_LAYERS.items()}
        layers |= {f"{half}.{name}": f"{half}.{name}" for name in ("conv_in", "conv_out")}
    for b, block in enumerate(vae.encoder.down_blocks):
        layers[f"encoder.down_blocks.{b}.downsamplers.0.conv"] = f"encoder.down.{b}.downsample.conv"
        layers |= {
            f"encoder.down_blocks.{b}.resnets.{k}": f"encoder.down.{b}.block.{k}" for k in range(len(block.resnets))
        }
    for b, block in enumerate(vae.decoder.up_blocks):
        level = len(vae.decoder.up_blocks) - 1 - b  # counted from the finest level
        layers[f"decoder.up_blocks.{b}.upsamplers.0.conv"] = f"decoder.up.{level}.upsample.conv"
        layers |= {
            f"decoder.up_blocks.{b}.resnets.{k}": f"decoder.up.{level}.block.{k}" for k in range(len(block.resnets))
        }
    return layers


def _split(name: str, layers: dict[str, str]) -> tuple[str, str, str] | None:
    """(layer, its original name, the rest of the name); None if `layers` has no such layer."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        layer = ".".join(parts[:length])
        if layer in layers:
            return layer, layers[layer], ".".join(parts[length:])
    return None


def _no_place(name: str) -> AlignerError:
    return AlignerError(f"The original layout of Stable Diffusion 1 has no place for {name}.")
