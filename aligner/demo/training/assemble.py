"""From trained parts to the files and folders that the loaders of the real models read, as fp16 safetensors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from torch import nn

from ...generators.audioldm import PIPELINE
from ...generators.folders import quiet
from ...imagebind import ImageBind, save_imagebind
from .. import family
from ..judge import Judge, save_judge
from .sizes import AUDIO_SCHEDULE, IMAGE_SCHEDULE, MOTION


@torch.no_grad()
def write_binders(binder: ImageBind, second: ImageBind) -> None:
    for model, path in ((binder, family.IMAGEBIND), (second, family.SECOND_IMAGEBIND)):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_imagebind(model.half(), path)


@torch.no_grad()
def write_judge(judge: Judge) -> None:
    family.JUDGE.parent.mkdir(parents=True, exist_ok=True)
    save_judge(judge.half(), family.JUDGE)


@torch.no_grad()
def write_audioldm(unet: nn.Module, vae: nn.Module, vocoder: nn.Module, text_encoder: nn.Module, tokenizer: Path,
                   factor: float) -> None:
    """factor: what the VAE's latents are multiplied by."""
    vae.register_to_config(scaling_factor=factor)
    networks = {"unet": unet, "vae": vae, "vocoder": vocoder, "text_encoder": text_encoder}
    _write_pipeline(family.AUDIOLDM, PIPELINE, networks, tokenizer, "RobertaTokenizerFast", AUDIO_SCHEDULE)


@torch.no_grad()
def write_animatediff(pictures: nn.Module, videos: nn.Module, vae: nn.Module, text_encoder: nn.Module, tokenizer: Path,
                      factor: float) -> None:
    """videos: the U-Net with motion modules, which become an adapter of their own."""
    from diffusers import MotionAdapter

    vae.register_to_config(scaling_factor=factor)
    networks = {"unet": pictures, "vae": vae, "text_encoder": text_encoder}
    _write_pipeline(family.STABLE_DIFFUSION, "StableDiffusionPipeline", networks, tokenizer, "CLIPTokenizer",
                    IMAGE_SCHEDULE)
    adapter = MotionAdapter(**MOTION)
    adapter.load_state_dict({name: weight for name, weight in videos.state_dict().items() if "motion_modules" in name})
    _emptied(family.MOTION)
    with quiet():
        adapter.half().save_pretrained(family.MOTION, safe_serialization=True)


def _write_pipeline(folder: Path, pipeline: str, networks: dict[str, nn.Module], tokenizer: Path, tokenizer_class: str,
                    schedule: dict) -> None:
    from diffusers import DDIMScheduler

    _emptied(folder)
    for name, network in networks.items():
        with quiet():
            network.half().save_pretrained(folder / name, safe_serialization=True)
    shutil.copytree(tokenizer, folder / "tokenizer")
    DDIMScheduler(**schedule).save_pretrained(folder / "scheduler")
    origins = {name: [type(network).__module__.split(".")[0], type(network).__name__]
               for name, network in networks.items()}
    index = {"_class_name": pipeline, **origins, "scheduler": ["diffusers", "DDIMScheduler"],
             "tokenizer": ["transformers", tokenizer_class]}
    (folder / "model_index.json").write_bytes(json.dumps(index, indent=2).encode("utf-8"))


def _emptied(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
