"""The names in LoRA files. A name gives the network, the weight that a tensor changes, and the part of the change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import nn

from .original_names import UNET_PREFIX, known_unet_names, original_motion_names

#: (component, name of a weight or bias)
Place = tuple[str, str]

#: Matrices and scales that LyCORIS names alike everywhere. The part before the first "_" is the kind of change.
_LYCORIS = (
    *("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"),
    *("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"),
)

#: {end of a tensor's name: (part, which of a layer's parameters it changes)}
_ENDINGS = {
    # kohya's scripts
    ".lora_down.weight": ("lora_down", "weight"),
    ".lora_up.weight": ("lora_up", "weight"),
    ".lora_mid.weight": ("lora_mid", "weight"),
    # peft, with and without the name of the adapter
    ".lora_A.weight": ("lora_down", "weight"),
    ".lora_B.weight": ("lora_up", "weight"),
    ".lora_A.default.weight": ("lora_down", "weight"),
    ".lora_B.default.weight": ("lora_up", "weight"),
    ".lora_A": ("lora_down", "weight"),
    ".lora_B": ("lora_up", "weight"),
    # diffusers with layers (two versions), and with attention processors, as in AnimateDiff's files
    ".lora.down.weight": ("lora_down", "weight"),
    ".lora.up.weight": ("lora_up", "weight"),
    ".lora_linear_layer.down.weight": ("lora_down", "weight"),
    ".lora_linear_layer.up.weight": ("lora_up", "weight"),
    "_lora.down.weight": ("lora_down", "weight"),
    "_lora.up.weight": ("lora_up", "weight"),
    # LyCORIS and ComfyUI
    **{f".{part}": (part, "weight") for part in _LYCORIS},
    ".alpha": ("alpha", "weight"),
    ".dora_scale": ("dora_scale", "weight"),
    ".diff": ("diff", "weight"),
    ".diff_b": ("diff", "bias"),
    ".w_norm": ("diff", "weight"),
    ".b_norm": ("diff", "bias"),
    ".set_weight": ("set", "weight"),
}

_UNSUPPORTED = {
    ".oft_": "OFT",
    ".boft_": "BOFT",
    ".a1.weight": "GLoRA",
    ".on_input": "IA3",
    "lora_magnitude_vector": "DoRA in peft's layout",
    "lora_B.bias": "LoRA with biases of its own",
    ".reshape_weight": "LoRA that widens layers",
    "base_model.model.": "LoRA in peft's own layout, whose scale is in another file",
}

#: Starts of names that `places` spells out. Names in diffusers may also begin with the layer.
_PREFIXES = ("lora_", "lycoris_", "diffusion_model.", "unet.", "text_encoder.", "text_encoders.", "text_encoder_2.")

#: Starts of layers of a text encoder that Stable Diffusion 1 does not have.
_SECOND_TEXT_ENCODER = ("lora_te2_", "text_encoder_2.", "text_encoders.clip_g.")

_BUNDLED = "bundle_emb."

#: Projections of attention in the text encoder, as early versions of diffusers named them.
_OLD_PROJECTIONS = {".to_q": ".q_proj", ".to_k": ".k_proj", ".to_v": ".v_proj", ".to_out.0": ".out_proj"}


def split(name: str) -> tuple[str, str, str] | None:
    """(address of the layer, part, "weight" or "bias") of a tensor; None if it is no part of a LoRA.

    The address is spelled as in `places`. The part is "alpha", "dora_scale", or a matrix, whose name begins with the
    kind of change: "lora_", "hada_", "lokr_", "diff" or "set".
    """
    for ending, (part, parameter) in _ENDINGS.items():
        if name.endswith(ending):
            return _address(name.removesuffix(ending)), part, parameter
    return None


def places(networks: Mapping[str, nn.Module]) -> dict[str, Place]:
    """{address: (component, parameter)} of all layers that a LoRA can change, in every spelling.

    A layer stands for its weight. Biases have addresses of their own, as ComfyUI reads them. The names are those of
    diffusers and the original ones, with dots or, as in kohya's scripts, underscores.
    """
    spelled = {"unet": _unet_addresses(networks["unet"]), "text_encoder": _text_addresses(networks["text_encoder"])}
    return {address: (component, name) for component, names in spelled.items() for address, name in names}


def unsupported_kind(names: list[str]) -> str | None:
    """The name of a variant of LoRA that is not supported; None if the file holds none."""
    return next((kind for part, kind in _UNSUPPORTED.items() if any(part in name for name in names)), None)


def is_of_second_text_encoder(address: str) -> bool:
    """Whether a layer belongs to the larger text encoder of SDXL."""
    return address.startswith(_SECOND_TEXT_ENCODER)


def is_motion(address: str) -> bool:
    """Whether a layer belongs to a motion module."""
    return "motion_modules" in address


def bundled_embedding(name: str) -> str | None:
    """The word of a textual inversion that a tensor belongs to; None for other tensors."""
    return name.removeprefix(_BUNDLED).split(".")[0] if name.startswith(_BUNDLED) else None


def _unet_addresses(unet: nn.Module) -> Iterator[tuple[str, str]]:
    names = {name: name for name, _ in unet.named_parameters()}
    for name, layer in _layers(names):
        flat = layer.replace(".", "_")
        yield from ((f"unet.{layer}", name), (f"lora_unet_{flat}", name), (f"lycoris_{flat}", name))
    for name, layer in _layers(known_unet_names(unet) | original_motion_names(unet)):
        layer = layer.removeprefix(UNET_PREFIX)
        for address in (f"unet.{layer}", f"diffusion_model.{layer}", "lora_unet_" + layer.replace(".", "_")):
            yield address, name


def _text_addresses(text_encoder: nn.Module) -> Iterator[tuple[str, str]]:
    # The level text_model exists only in some versions of transformers.
    names = {name: name.removeprefix("text_model.") for name, _ in text_encoder.named_parameters()}
    for name, short in _layers(names):
        for layer in (short, f"text_model.{short}"):
            for prefix in ("text_encoder.", "text_encoders.clip_l.transformer."):
                yield prefix + layer, name
            for prefix in ("lora_te_", "lora_te1_"):
                yield prefix + layer.replace(".", "_"), name


def _layers(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name, address) of each weight and bias: that of a weight is its layer."""
    for name, spelled in names.items():
        if name.endswith((".weight", ".bias")):
            yield name, spelled.removesuffix(".weight")


def _address(layer: str) -> str:
    """The address of a layer as `places` spells it."""
    layer = layer.removeprefix("module.")
    if not layer.startswith(_PREFIXES):
        layer = f"unet.{layer}"
    if layer.startswith("lora_"):
        return layer
    layer = layer.replace(".processor.", ".")
    if layer.endswith(".to_out"):
        layer += ".0"
    if layer.startswith("text_encoder."):
        for theirs, ours in _OLD_PROJECTIONS.items():
            if layer.endswith(theirs):
                return layer.removesuffix(theirs) + ours
    return layer
