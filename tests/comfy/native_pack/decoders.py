"""Core's VAEs at small sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import comfy.ldm.lightricks.vae.causal_video_autoencoder
import comfy.ldm.modules.diffusionmodules.model
import comfy.ldm.wan.vae
import comfy.sd
import torch
from comfy.ldm.models.autoencoder import AutoencoderKL, AutoencodingEngine

from .weights import randomised

try:
    from comfy.ldm.lightricks.vae.audio_vae import AudioVAE
except ImportError:  # this ComfyUI has no joint models
    AudioVAE = None


def loaded(first_stage: torch.nn.Module, seed: int, config: dict[str, Any] | None = None) -> comfy.sd.VAE:
    """What core makes of a file with random weights of this module. `config` is the file's metadata."""
    metadata = None if config is None else {"config": json.dumps(config)}
    return comfy.sd.VAE(sd=randomised(first_stage, seed).state_dict(), metadata=metadata)


@contextmanager
def smaller(module: ModuleType, *names: str, **sizes: Any) -> Iterator[None]:
    """Build classes of a module with other sizes than core chooses. Core then sets up its VAE around them as usual."""
    full = {name: getattr(module, name) for name in names}
    for name, made in full.items():
        setattr(module, name, lambda made=made, **config: made(**config | sizes))
    try:
        yield
    finally:
        for name, made in full.items():
            setattr(module, name, made)


SMALL_KL = {"ch": 32, "num_res_blocks": 1}
SMALL_WAN = {"dim": 8, "num_res_blocks": 1}
SMALL_OOBLECK = {"channels": 4}


def kl_config(channels: int) -> dict[str, Any]:
    """What is left to choose of an AutoencoderKL: core's values, with so many channels of the latent."""
    return {
        "double_z": True,
        "z_channels": channels,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch_mult": [1, 2, 4, 4],
        "attn_resolutions": [],
        "dropout": 0.0,
    }


def stable_diffusion_vae(seed: int) -> comfy.sd.VAE:
    with smaller(comfy.ldm.modules.diffusionmodules.model, "Encoder", "Decoder", **SMALL_KL):
        return loaded(AutoencoderKL(ddconfig=kl_config(4), embed_dim=4), seed)


def flux_vae(seed: int) -> comfy.sd.VAE:
    """An AutoencoderKL without the convolutions around the latent."""
    target, config = "comfy.ldm.modules.diffusionmodules.model", kl_config(16)
    with smaller(comfy.ldm.modules.diffusionmodules.model, "Encoder", "Decoder", **SMALL_KL):
        engine = AutoencodingEngine(
            regularizer_config={"target": "comfy.ldm.models.autoencoder.DiagonalGaussianRegularizer"},
            encoder_config={"target": f"{target}.Encoder", "params": config},
            decoder_config={"target": f"{target}.Decoder", "params": config},
        )
        return loaded(engine, seed)


def wan_vae(seed: int) -> comfy.sd.VAE:
    with smaller(comfy.ldm.wan.vae, "WanVAE", **SMALL_WAN):
        return loaded(comfy.ldm.wan.vae.WanVAE(z_dim=16, temperal_downsample=[False, True, True]), seed)


def stable_audio_vae(seed: int) -> comfy.sd.VAE:
    with smaller(comfy.sd, "AudioOobleckVAE", **SMALL_OOBLECK):
        return loaded(comfy.sd.AudioOobleckVAE(), seed)


def ace_step_vae(seed: int) -> comfy.sd.VAE:
    with smaller(comfy.sd, "AudioOobleckVAE", **SMALL_OOBLECK):
        return loaded(comfy.sd.AudioOobleckVAE(strides=[2, 4, 4, 6, 10]), seed)


def ltx_video_vae(seed: int) -> comfy.sd.VAE:
    up = ["compress_all", {"residual": True, "multiplier": 2}]
    config = {
        "dims": 3,
        "latent_channels": 128,
        "encoder_blocks": [["res_x", 1], *3 * [["compress_all_res", {"multiplier": 2}]]],
        "decoder_blocks": [["res_x", 1], up, up, up, ["res_x", 1]],
        "encoder_base_channels": 8,
        "decoder_base_channels": 8,
        "norm_layer": "pixel_norm",
        "patch_size": 4,
        "latent_log_var": "uniform",
    }
    video_vae = comfy.ldm.lightricks.vae.causal_video_autoencoder.VideoVAE(config=config)
    return loaded(video_vae, seed, {"vae": config})


def ltx_audio_vae(seed: int) -> comfy.sd.VAE:
    """Sound at 24 kHz from latents of 25 per second."""
    spectrogram = {
        "double_z": True,
        "mel_bins": 64,
        "z_channels": 8,
        "resolution": 256,
        "in_channels": 2,
        "out_ch": 2,
        "ch": 8,
        "ch_mult": [1, 2, 4],
        "num_res_blocks": 1,
        "attn_resolutions": [],
        "mid_block_add_attention": False,
        "norm_type": "pixel",
        "causality_axis": "height",
    }
    config = {
        "audio_vae": {
            "model": {"params": {"ddconfig": spectrogram, "sampling_rate": 16000}},
            "preprocessing": {"stft": {"filter_length": 1024, "hop_length": 160}},
        },
        "vocoder": {
            "upsample_rates": [16, 15],
            "upsample_kernel_sizes": [32, 31],
            "upsample_initial_channel": 32,
            "resblock_kernel_sizes": [3],
            "resblock_dilation_sizes": [[1, 3, 5]],
        },
    }
    return loaded(AudioVAE(metadata={"config": config}), seed, config)
