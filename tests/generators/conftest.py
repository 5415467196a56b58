"""Stable Diffusion 1.5 and a motion module in small, and the files and folders that they are published as."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from aligner.files.diffusers_folders import quiet
from aligner.generators.stable_diffusion import (
    save_motion_module,
    save_single_file,
    write_tokenizer,
)
from aligner.generators.stable_diffusion.networks import published_config

UNET = {
    "sample_size": 8,
    "block_out_channels": (16, 32),
    "layers_per_block": 2,
    "norm_num_groups": 8,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "attention_head_dim": 4,
    "cross_attention_dim": 24,
}
VAE = {
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
}
TEXT = {
    "vocab_size": 49408,
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 49407,
}
MOTION = {"block_out_channels": (16, 32), "motion_norm_num_groups": 8, "motion_max_seq_length": 12}


@pytest.fixture(scope="session")
def small():
    """unet, vae, text_encoder with random weights, different in every tensor."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    return SimpleNamespace(
        unet=noise(UNet2DConditionModel(**UNET), 1),
        vae=noise(AutoencoderKL(**VAE), 2),
        text_encoder=noise(CLIPTextModel(CLIPTextConfig(**TEXT)), 3),
    )


@pytest.fixture(scope="session", params=[False, True], ids=["without mid block", "with mid block"])
def adapter(request):
    """A MotionAdapter, as in versions 1 and 3 and as in version 2."""
    return motion_adapter(use_motion_mid_block=request.param)


@pytest.fixture(scope="session")
def mid_adapter():
    return motion_adapter()


@pytest.fixture(scope="session")
def base_file(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "small.safetensors"
    save_single_file(path, small.unet, small.vae, small.text_encoder)
    return path


@pytest.fixture(scope="session")
def base_folder(small, tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("folder"), small)


@pytest.fixture(scope="session")
def motion_file(mid_adapter, tmp_path_factory):
    path = tmp_path_factory.mktemp("motion") / "mm.safetensors"
    save_motion_module(path, mid_adapter)
    return path


@pytest.fixture(scope="session")
def motion_folder(mid_adapter, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapter")
    mid_adapter.save_pretrained(folder)
    return folder


@pytest.fixture
def small_is_published(monkeypatch, small):
    """Take the small sizes for Stable Diffusion 1.5's own, as for files that cannot tell their sizes."""
    from aligner.generators.stable_diffusion.networks import config_of

    sizes = {name: config_of(network) for name, network in vars(small).items()}
    monkeypatch.setattr(
        "aligner.generators.stable_diffusion.single_file.published_config",
        lambda name: sizes.get(name) or published_config(name),
    )


def motion_adapter(seed: int = 4, **sizes):
    from diffusers import MotionAdapter

    return noise(MotionAdapter(**{**MOTION, **sizes}), seed)


def noise(network, seed: int):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return network.eval()


def write_folder(folder, small):
    """A StableDiffusionPipeline's folder."""
    with quiet():
        for name, network in vars(small).items():
            network.save_pretrained(folder / name)
    write_tokenizer(folder / "tokenizer")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(published_config("scheduler")))
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.35.0",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def same(loaded, expected) -> bool:
    """Whether two networks hold the same tensors under the same names, in the precision of the first."""
    ours, theirs = loaded.state_dict(), expected.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(tensor, theirs[name].to(tensor.dtype)) for name, tensor in ours.items()
    )
