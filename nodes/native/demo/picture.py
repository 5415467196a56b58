"""The demo's Stable Diffusion in ComfyUI's classes for Stable Diffusion 1.5."""

from functools import partial
from typing import Any

import comfy.ops
import comfy.sd
import torch
from comfy import model_management
from comfy.clip_model import CLIPTextModel
from comfy.latent_formats import LatentFormat
from comfy.model_base import BaseModel
from comfy.model_detection import detect_unet_config
from comfy.model_patcher import ModelPatcher
from comfy.sd1_clip import SD1ClipModel, SD1Tokenizer, SDClipModel, SDTokenizer
from comfy.supported_models import SD15
from comfy.supported_models_base import ClipTarget
from torch import nn

from ....aligner.demo.family import STABLE_DIFFUSION, load_demo_animatediff
from ....aligner.generators.animatediff import AnimateDiff
from ....aligner.generators.stable_diffusion.networks import config_of
from ....aligner.generators.stable_diffusion.original_names import (
    UNET_PREFIX,
    original_text_names,
    original_unet_names,
)
from .wrapping import noise_schedule, prediction, vae_of


def load_picture() -> tuple[ModelPatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """MODEL, CLIP and VAE. A latent is (B, 4, height / 8, width / 8)."""
    source = load_demo_animatediff(motion=False)
    return _model(source), _clip(source), _vae(source)


# MODEL


def _model(source: AnimateDiff) -> ModelPatcher:
    state = _renamed(source.unet, original_unet_names(source.unet))
    config = SD15(detect_unet_config(state, UNET_PREFIX))
    config.unet_config["num_heads"] = source.unet.config.attention_head_dim  # so diffusers calls their number
    config.custom_operations = _grouped(source.unet.config.norm_num_groups)
    config.sampling_settings = noise_schedule(source.scheduler_config)
    config.latent_format = LatentFormat()
    config.latent_format.scale_factor = source.latent_scale
    config.set_inference_dtype(torch.float32, None)
    model = BaseModel(config, prediction(source.scheduler_config))
    model.load_model_weights(state, UNET_PREFIX)
    return ModelPatcher(
        model,
        load_device=model_management.get_torch_device(),
        offload_device=model_management.unet_offload_device(),
    )


def _grouped(groups: int) -> type:
    """ComfyUI's layers, but group norms have so many groups. ComfyUI asks for 32, too many for a small network."""

    class Grouped(comfy.ops.manual_cast):
        class GroupNorm(comfy.ops.manual_cast.GroupNorm):
            def __init__(self, num_groups: int, *arguments: Any, **choices: Any):
                super().__init__(groups, *arguments, **choices)

    return Grouped


# CLIP


def _clip(source: AnimateDiff) -> comfy.sd.CLIP:
    config = config_of(source.text_encoder)
    special = {"start": config["bos_token_id"], "end": config["eos_token_id"], "pad": config["pad_token_id"]}
    network = partial(
        SDClipModel,
        textmodel_json_config=config,
        model_class=_TextModel,
        special_tokens=special,
        return_projected_pooled=False,
    )
    words = partial(
        SDTokenizer, tokenizer_path=str(STABLE_DIFFUSION / "tokenizer"), embedding_size=config["hidden_size"]
    )
    clip = comfy.sd.CLIP(ClipTarget(partial(SD1Tokenizer, tokenizer=words), partial(SD1ClipModel, clip_model=network)))
    state = _renamed(source.text_encoder, original_text_names(source.text_encoder))
    clip.load_sd(SD15({}).process_clip_state_dict(state), full_model=True)
    return clip


class _TextModel(CLIPTextModel):
    """ComfyUI's text network of CLIP, with a vocabulary of another size."""

    def __init__(self, config: dict, dtype: torch.dtype, device: torch.device, operations: Any):
        super().__init__(config, dtype, device, operations)
        words, width = config["vocab_size"], config["hidden_size"]
        self.set_input_embeddings(operations.Embedding(words, width, dtype=dtype, device=device))


# VAE


def _vae(source: AnimateDiff) -> comfy.sd.VAE:
    # ComfyUI's autoencoder has 32 groups as well, and takes no other layers.
    network = PictureAutoencoder(source.vae)
    return vae_of(network, ratio=source.compression, channels=source.latent_channels, dimensions=2)


class PictureAutoencoder(nn.Module):
    """An AutoencoderKL of diffusers with the methods of ComfyUI's."""

    passes_gradients = True

    def __init__(self, network: Any):
        super().__init__()
        self.network = network

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures (B, 3, H, W) in -1..1 -> latents (B, 4, H / 8, W / 8), not scaled."""
        return self.network.encode(pictures).latent_dist.mode()

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents -> pictures, differentiable."""
        return self.network.decode(latents).sample


def _renamed(network: nn.Module, names: dict[str, str]) -> dict[str, torch.Tensor]:
    weights = network.state_dict()
    return {original: weights[name] for name, original in names.items()}
