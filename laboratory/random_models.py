"""Small models with random weights, in the classes and folder layouts of the real ones.

They show that everything runs, and generate noise. The same seed gives the same weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from aligner.binders.imagebind import ImageBind, ImageBindConfig, TowerConfig
from aligner.files.diffusers_folders import quiet
from aligner.generators.animatediff import AnimateDiff, load_animatediff
from aligner.generators.audioldm.generator import COMPONENTS, PIPELINE, AudioLDM, load_audioldm
from aligner.generators.stable_diffusion import write_tokenizer

from .random_imagebind import random_imagebind

IMAGEBIND_CONFIG = ImageBindConfig(
    vision=TowerConfig(64, 2, 4), text=TowerConfig(64, 2, 4), audio=TowerConfig(64, 2, 4), embed_dim=48
)

UNET = {
    "sample_size": 128,
    "in_channels": 8,
    "out_channels": 8,
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 8,
    "attention_head_dim": 4,
    "cross_attention_dim": (16, 32),
    "class_embed_type": "simple_projection",
    "projection_class_embeddings_input_dim": 512,
    "class_embeddings_concat": True,
}
VAE = {
    "in_channels": 1,
    "out_channels": 1,
    "latent_channels": 8,
    "block_out_channels": (8, 16, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "scaling_factor": 0.9227914214134216,
}
VOCODER = {
    "model_in_dim": 64,
    "sampling_rate": 16000,
    "upsample_initial_channel": 64,
    "upsample_rates": [5, 4, 2, 2, 2],
    "upsample_kernel_sizes": [16, 16, 8, 4, 4],
    "resblock_kernel_sizes": [3, 7],
    "resblock_dilation_sizes": [[1, 3], [1, 3]],
    "normalize_before": False,
}
TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 514,
    "projection_dim": 512,
}
SCHEDULER = {
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
    "num_train_timesteps": 1000,
}

SD_UNET = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": 32,
    "attention_head_dim": 4,
}
SD_VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": (8, 8, 16, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "scaling_factor": 0.18215,
}
SD_TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 49407,
}
SD_SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "num_train_timesteps": 1000,
}
MOTION = {
    "block_out_channels": (32, 64),
    "motion_layers_per_block": 1,
    "motion_num_attention_heads": 4,
    "motion_max_seq_length": 32,
    "use_motion_mid_block": True,
}

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


@torch.inference_mode(False)
def load_random_imagebind(
    seed: int = 0, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> ImageBind:
    """A binder of 0.6 M parameters and token embeddings of 3 M."""
    return random_imagebind(IMAGEBIND_CONFIG, seed).to(device, dtype)


def load_random_audioldm(
    seed: int = 0, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> AudioLDM:
    """Write a folder in the layout of AudioLDM and load it by the loader of the real ones."""
    with TemporaryDirectory() as folder:
        return load_audioldm(write_random_audioldm(Path(folder), seed), dtype=dtype, device=device)


def load_random_animatediff(
    seed: int = 0, *, motion: bool = True, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> AnimateDiff:
    """Write folders in the layout of Stable Diffusion and a motion adapter and load them by the real loader."""
    with TemporaryDirectory() as folder:
        base, adapter = write_random_animatediff(Path(folder), seed)
        return load_animatediff(base, adapter if motion else None, dtype=dtype, device=device)


@torch.inference_mode(False)
def write_random_animatediff(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write a small Stable Diffusion to folder / "base" and a motion adapter for it to folder / "motion".

    Returns the two folders.
    """
    base, motion = folder / "base", folder / "motion"
    models, adapter = random_stable_diffusion(seed)
    for name, model in models.items():
        _save(model, base / name)
    _save(adapter, motion)
    from diffusers import DDIMScheduler

    DDIMScheduler(**SD_SCHEDULER).save_pretrained(base / "scheduler")
    (base / "tokenizer").mkdir(parents=True)
    write_tokenizer(base / "tokenizer")
    origins = {name: _origin(name, models) for name in models} | {
        "scheduler": ["diffusers", "DDIMScheduler"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
    }
    _write_index(base, "StableDiffusionPipeline", origins)
    return base, motion


@torch.inference_mode(False)
def random_stable_diffusion(seed: int = 0) -> tuple[dict[str, nn.Module], nn.Module]:
    """The networks of a small Stable Diffusion by component, and a motion adapter for it."""
    from diffusers import AutoencoderKL, MotionAdapter, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        models = {
            "unet": UNet2DConditionModel(**SD_UNET),
            "vae": AutoencoderKL(**SD_VAE),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**SD_TEXT)),
        }
        adapter = MotionAdapter(**MOTION)
    for model in (*models.values(), adapter):
        randomise(model, generator)
    return models, adapter


@torch.inference_mode(False)
def write_random_audioldm(folder: Path, seed: int = 0, *, safe_serialization: bool = True) -> Path:
    """Write the six components of a small AudioLDM pipeline to a folder. Returns the folder."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import (
        ClapTextConfig,
        ClapTextModelWithProjection,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
    )

    vocabulary = _byte_vocabulary()
    generator = torch.Generator().manual_seed(seed)
    # Libraries initialise from the global generator, which belongs to the host.
    with torch.random.fork_rng(devices=[]):
        models = {
            "unet": UNet2DConditionModel(**UNET),
            "vae": AutoencoderKL(**VAE),
            "vocoder": SpeechT5HifiGan(SpeechT5HifiGanConfig(**VOCODER)),
            "text_encoder": ClapTextModelWithProjection(ClapTextConfig(vocab_size=len(vocabulary), **TEXT)),
        }
    for name, model in models.items():
        randomise(model, generator)
        _save(model, folder / name, safe_serialization)
    DDIMScheduler(**SCHEDULER).save_pretrained(folder / "scheduler")
    _write_tokenizer(folder / "tokenizer", vocabulary)
    _write_index(folder, PIPELINE, {name: _origin(name, models) for name in COMPONENTS})
    return folder


@torch.no_grad()
def randomise(model: nn.Module, generator: torch.Generator) -> None:
    """Fill a network with weights that keep the variance of activations, drawn from a generator."""
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            parameter.fill_(1.0 if name.endswith("weight") else 0.0)
        else:
            # Prompt embeddings have length 1. The length of other features is about the square root of their width.
            fan_in = 1 if name == "class_embedding.weight" else parameter[0].numel()
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * fan_in**-0.5)


def _save(model: nn.Module, folder: Path, safe_serialization: bool = True) -> None:
    with quiet():
        model.save_pretrained(folder, safe_serialization=safe_serialization)


def _write_index(folder: Path, pipeline: str, origins: dict[str, list[str]]) -> None:
    (folder / "model_index.json").write_text(
        json.dumps({"_class_name": pipeline, **origins}, indent=2), encoding="utf-8"
    )


def _byte_vocabulary() -> dict[str, int]:
    """RoBERTa's special tokens and the 256 symbols of byte-level BPE, without merges."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    # Byte-level BPE writes unprintable bytes as the characters from 256 on, in order.
    characters = [chr(byte) for byte in printable] + [chr(256 + k) for k in range(256 - len(printable))]
    return {token: index for index, token in enumerate((*SPECIAL_TOKENS[:4], *characters, SPECIAL_TOKENS[4]))}


def _write_tokenizer(folder: Path, vocabulary: dict[str, int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    settings = {
        "tokenizer_class": "RobertaTokenizer",
        "model_max_length": 512,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "cls_token": "<s>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")


def _origin(name: str, models: dict[str, nn.Module]) -> list[str]:
    """Library and class of a component, as model_index.json lists them."""
    if name in models:
        return [type(models[name]).__module__.split(".")[0], type(models[name]).__name__]
    return ["transformers", "RobertaTokenizerFast"] if name == "tokenizer" else ["diffusers", "DDIMScheduler"]
