"""Writes trained networks as fp16 safetensors, in the files and folders that the loaders of the real models read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from aligner.binders.imagebind import ImageBind, save_imagebind
from aligner.demo.judge import Judge, save_judge
from aligner.files.diffusers_folders import quiet
from aligner.generators.audioldm.generator import PIPELINE
from aligner.generators.mm_diffusion import CoupledUNet, MMDiffusion, save_mm_diffusion

from .sizes import AUDIO_SCHEDULE, IMAGE_SCHEDULE, MOTION


@torch.no_grad()
def write_binder(binder: ImageBind, file: Path) -> None:
    """Write a binder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_imagebind(binder.half(), file)


@torch.no_grad()
def write_judge(judge: Judge, file: Path) -> None:
    """Write the judge."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_judge(judge.half(), file)


@torch.no_grad()
def write_mm_diffusion(unet: CoupledUNet, file: Path) -> None:
    """Write a coupled U-Net."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_mm_diffusion(MMDiffusion(unet.half()), file)


@torch.no_grad()
def write_audioldm(
    unet: nn.Module,
    vae: nn.Module,
    vocoder: nn.Module,
    text_encoder: nn.Module,
    tokenizer: Path,
    factor: float,
    folder: Path,
) -> None:
    """Write an AudioLDM pipeline. tokenizer: its folder. factor: the scaling factor of the VAE's latents."""
    vae.register_to_config(scaling_factor=factor)
    networks = {"unet": unet, "vae": vae, "vocoder": vocoder, "text_encoder": text_encoder}
    _write_pipeline(folder, PIPELINE, networks, tokenizer, "RobertaTokenizerFast", AUDIO_SCHEDULE)


@torch.no_grad()
def write_stable_diffusion(
    unet: nn.Module, vae: nn.Module, text_encoder: nn.Module, tokenizer: Path, factor: float, folder: Path
) -> None:
    """Write a Stable Diffusion pipeline. tokenizer: its folder. factor: the scaling factor of the VAE's latents."""
    vae.register_to_config(scaling_factor=factor)
    networks = {"unet": unet, "vae": vae, "text_encoder": text_encoder}
    _write_pipeline(folder, "StableDiffusionPipeline", networks, tokenizer, "CLIPTokenizer", IMAGE_SCHEDULE)


@torch.no_grad()
def write_motion_adapter(unet: nn.Module, folder: Path) -> None:
    """Write the motion modules of a U-Net as a motion adapter."""
    from diffusers import MotionAdapter

    adapter = MotionAdapter(**MOTION)
    adapter.load_state_dict({name: weight for name, weight in unet.state_dict().items() if "motion_modules" in name})
    with _replacing(folder) as new, quiet():
        adapter.half().save_pretrained(new, safe_serialization=True)


def _write_pipeline(
    folder: Path, pipeline: str, networks: dict[str, nn.Module], tokenizer: Path, tokenizer_class: str, schedule: dict
) -> None:
    from diffusers import DDIMScheduler

    origins = {
        name: [type(network).__module__.split(".")[0], type(network).__name__] for name, network in networks.items()
    }
    index = {
        "_class_name": pipeline,
        **origins,
        "scheduler": ["diffusers", "DDIMScheduler"],
        "tokenizer": ["transformers", tokenizer_class],
    }
    with _replacing(folder) as new, quiet():
        for name, network in networks.items():
            network.half().save_pretrained(new / name, safe_serialization=True)
        shutil.copytree(tokenizer, new / "tokenizer")
        DDIMScheduler(**schedule).save_pretrained(new / "scheduler")
        (new / "model_index.json").write_bytes(json.dumps(index, indent=2).encode("utf-8"))


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder. Afterwards it replaces `folder`; if writing fails, it is removed and `folder` stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as temporary:
        new = Path(temporary) / "new"
        new.mkdir()
        yield new
        for file in new.rglob("*.safetensors"):
            # Some libraries write files that only their owner can read.
            file.chmod(new.stat().st_mode & 0o666)
        old = Path(temporary) / "old"
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
