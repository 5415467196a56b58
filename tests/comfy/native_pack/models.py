"""Core's models at small sizes, with what goes with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import comfy.ldm.audio.embedders
import comfy.ldm.flux.model
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import torch

from .decoders import (
    ace_step_vae,
    flux_vae,
    ltx_audio_vae,
    ltx_video_vae,
    stable_audio_vae,
    stable_diffusion_vae,
    wan_vae,
)
from .weights import randomised

#: Tokens of a prompt, and the width of a token's embedding. Stable Audio's width is fixed in core.
TOKENS, WIDTH, STABLE_AUDIO_WIDTH = 4, 16, 768


@dataclass(frozen=True)
class Kind:
    """A model and what goes with it.

    Attributes:
        config: the class in comfy.supported_models.
        network: the sizes of the network.
        latents: the shape of each stream without the batch.
        vae, audio_vae: make the decoders from a seed.
        width: of a token's embedding.
        also: further conditionings, their shapes without the batch.
        weights: make what core's class asks of a checkpoint.
        latent: further entries of a latent, as core's nodes for empty latents add them.
    """

    config: str
    network: dict[str, Any]
    latents: tuple[tuple[int, ...], ...]
    vae: Callable[[int], comfy.sd.VAE]
    audio_vae: Callable[[int], comfy.sd.VAE | None] = lambda seed: None
    width: int = WIDTH
    also: dict[str, tuple[int, ...]] = field(default_factory=dict)
    weights: Callable[[], dict[str, torch.Tensor]] = dict
    latent: dict[str, Any] = field(default_factory=dict)


def seconds_embedders() -> dict[str, torch.Tensor]:
    embedder = comfy.ldm.audio.embedders.NumberConditioner(STABLE_AUDIO_WIDTH).state_dict()
    names = ("conditioner.conditioners.seconds_start.", "conditioner.conditioners.seconds_total.")
    return {name + key: weight for name in names for key, weight in embedder.items()}


STABLE_DIFFUSION = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [1, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1],
    "context_dim": WIDTH,
    "use_spatial_transformer": True,
    "use_linear_in_transformer": False,
    "use_temporal_attention": False,
    "adm_in_channels": None,
    "legacy": False,
}
FLUX = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "patch_size": 2,
    "vec_in_dim": WIDTH,
    "context_in_dim": WIDTH,
    "hidden_size": 64,
    "mlp_ratio": 2.0,
    "num_heads": 4,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [4, 6, 6],
    "theta": 10000,
    "qkv_bias": True,
    "guidance_embed": True,
}
if "txt_ids_dims" in comfy.ldm.flux.model.FluxParams.__annotations__:
    FLUX["txt_ids_dims"] = []
WAN = {
    "image_model": "wan2.1",
    "model_type": "t2v",
    "dim": 48,
    "ffn_dim": 96,
    "freq_dim": 32,
    "text_dim": WIDTH,
    "num_heads": 4,
    "num_layers": 2,
}
LTXAV = {
    "image_model": "ltxav",
    "num_layers": 2,
    "num_attention_heads": 4,
    "attention_head_dim": 16,
    "cross_attention_dim": 64,
    "audio_num_attention_heads": 4,
    "audio_attention_head_dim": 8,
    "audio_cross_attention_dim": 32,
    "caption_channels": WIDTH,
    "connector_num_layers": 1,
    "connector_num_attention_heads": 2,
    "connector_attention_head_dim": 8,
}
ACE_STEP_15 = {
    "audio_model": "ace1.5",
    "hidden_size": 64,
    "text_hidden_dim": WIDTH,
    "num_dit_layers": 2,
    "num_lyric_layers": 1,
    "num_timbre_layers": 1,
    "num_tokenizer_layers": 1,
    "num_heads": 2,
    "num_kv_heads": 1,
    "head_dim": 32,
    "intermediate_size": 64,
    "fsq_dim": 64,
    "encoder_hidden_size": 64,
    "encoder_intermediate_size": 64,
    "encoder_num_heads": 2,
}
STABLE_AUDIO = {"audio_model": "dit1.0", "embed_dim": 64, "depth": 2, "num_heads": 1, "project_cond_tokens": True}

#: The kinds that this ComfyUI has. Latents decode to 64 x 64 pixels: one picture, 9 frames (wan) or 17 frames (ltxav);
#: to a second of sound (ace15, stable_audio) or as much as 17 frames at 25 per second take (ltxav).
KINDS = {
    name: kind
    for name, kind in {
        "sd15": Kind("SD15", STABLE_DIFFUSION, ((4, 8, 8),), stable_diffusion_vae),
        "flux": Kind("Flux", FLUX, ((16, 8, 8),), flux_vae, also={"pooled_output": (WIDTH,)}),
        "wan": Kind("WAN21_T2V", WAN, ((16, 3, 8, 8),), wan_vae),
        "ltxav": Kind(
            "LTXAV",
            LTXAV,
            ((128, 3, 2, 2), (8, 17, 16)),
            ltx_video_vae,
            ltx_audio_vae,
            width=2 * WIDTH,
            latent={"type": "audio"},  # so says core's node that joins the two streams
        ),
        "ace15": Kind(
            "ACEStep15",
            ACE_STEP_15,
            ((64, 25),),
            ace_step_vae,
            also={"conditioning_lyrics": (TOKENS, WIDTH)},
            latent={"type": "audio"},
        ),
        "stable_audio": Kind(
            "StableAudio",
            STABLE_AUDIO,
            ((64, 22),),
            stable_audio_vae,
            width=STABLE_AUDIO_WIDTH,
            weights=seconds_embedders,
            latent={"type": "audio"},
        ),
    }.items()
    if hasattr(comfy.supported_models, kind.config)
}


def model_of(kind: Kind, seed: int) -> comfy.model_patcher.ModelPatcher:
    """The model as core's loaders make it, with random weights."""
    management = comfy.model_management
    config = getattr(comfy.supported_models, kind.config)(kind.network)
    device, supported = management.get_torch_device(), config.supported_inference_dtypes
    dtype = management.unet_dtype(supported_dtypes=supported)
    config.set_inference_dtype(dtype, management.unet_manual_cast(dtype, device, supported))
    model = randomised(config.get_model(kind.weights()), seed)
    patcher = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return patcher(model, load_device=device, offload_device=management.unet_offload_device())


def conditioning_of(kind: Kind, seed: int) -> list[list[Any]]:
    """A prompt as text encoders give it: embeddings (1, TOKENS, width) and what else the model asks for."""
    generator = torch.Generator().manual_seed(seed)
    also = {name: torch.randn(1, *shape, generator=generator) for name, shape in kind.also.items()}
    return [[torch.randn(1, TOKENS, kind.width, generator=generator), also]]
