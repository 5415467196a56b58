"""From trained parts to the files and folders that the loaders of the real models read, as fp16 safetensors."""

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
from aligner.demo import family
from aligner.demo.judge import Judge, save_judge
from aligner.files.diffusers_folders import quiet
from aligner.generators.audioldm.generator import PIPELINE

from ..weights import SECOND_IMAGEBIND
from .sizes import AUDIO_SCHEDULE, IMAGE_SCHEDULE, MOTION


@torch.no_grad()
def write_binders(binder: ImageBind, second: ImageBind, output: Path) -> None:
    """The binder that guides and the one that measures."""
    output.mkdir(parents=True, exist_ok=True)
    save_imagebind(binder.half(), output / family.IMAGEBIND.name)
    save_imagebind(second.half(), output / SECOND_IMAGEBIND.name)


@torch.no_grad()
def write_judge(judge: Judge, output: Path) -> None:
    """The judge's networks."""
    output.mkdir(parents=True, exist_ok=True)
    save_judge(judge.half(), output / family.JUDGE.name)


@torch.no_grad()
def write_audioldm(
    unet: nn.Module,
    vae: nn.Module,
    vocoder: nn.Module,
    text_encoder: nn.Module,
    tokenizer: Path,
    factor: float,
    output: Path,
) -> None:
    """factor: what the VAE's latents are multiplied by."""
    vae.register_to_config(scaling_factor=factor)
    networks = {"unet": unet, "vae": vae, "vocoder": vocoder, "text_encoder": text_encoder}
    _write_pipeline(
        output / family.AUDIOLDM.name, PIPELINE, networks, tokenizer, "RobertaTokenizerFast", AUDIO_SCHEDULE
    )


@torch.no_grad()
def write_animatediff(
    pictures: nn.Module,
    videos: nn.Module,
    vae: nn.Module,
    text_encoder: nn.Module,
    tokenizer: Path,
    factor: float,
    output: Path,
) -> None:
    """videos: the U-Net with motion modules, which become an adapter of their own."""
    from diffusers import MotionAdapter

    vae.register_to_config(scaling_factor=factor)
    networks = {"unet": pictures, "vae": vae, "text_encoder": text_encoder}
    _write_pipeline(
        output / family.STABLE_DIFFUSION.name,
        "StableDiffusionPipeline",
        networks,
        tokenizer,
        "CLIPTokenizer",
        IMAGE_SCHEDULE,
    )
    adapter = MotionAdapter(**MOTION)
    adapter.load_state_dict({name: weight for name, weight in videos.state_dict().items() if "motion_modules" in name})
    with _replacing(output / family.MOTION.name) as folder, quiet():
        adapter.half().save_pretrained(folder, safe_serialization=True)


def _write_pipeline(
    place: Path, pipeline: str, networks: dict[str, nn.Module], tokenizer: Path, tokenizer_class: str, schedule: dict
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
    with _replacing(place) as folder, quiet():
        for name, network in networks.items():
            network.half().save_pretrained(folder / name, safe_serialization=True)
        shutil.copytree(tokenizer, folder / "tokenizer")
        DDIMScheduler(**schedule).save_pretrained(folder / "scheduler")
        (folder / "model_index.json").write_bytes(json.dumps(index, indent=2).encode("utf-8"))


@contextmanager
def _replacing(place: Path) -> Iterator[Path]:
    """An empty folder that takes the place of another one when it is complete, and vanishes if it is not."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent) as temporary:
        folder = Path(temporary) / "new"
        folder.mkdir()
        yield folder
        for file in folder.rglob("*.safetensors"):
            file.chmod(folder.stat().st_mode & 0o666)  # some libraries let nobody but the owner read what they write
        old = Path(temporary) / "old"
        if place.exists():
            place.rename(old)
        try:
            folder.rename(place)
        except BaseException:
            if old.exists():
                old.rename(place)
            raise
