"""Where the models of a command are: named one by one, or found in a models folder."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError
from ..generators.stable_diffusion import Lora


@dataclass(frozen=True)
class Kind:
    """A kind of model in a models folder: patterns below it, and words for a message."""

    patterns: tuple[str, ...]
    wanted: str
    folder: str


#: By name of the option. Of a model that is a folder, its index file is searched for.
KINDS = {
    "imagebind": Kind(
        ("imagebind/*.safetensors", "imagebind/*.pth"), "ImageBind checkpoint such as imagebind_huge.pth", "imagebind"
    ),
    "audioldm": Kind(
        ("audioldm/model_index.json", "audioldm/*/model_index.json"),
        "AudioLDM folder such as audioldm-m-full",
        "audioldm",
    ),
    "base": Kind(
        ("checkpoints/*.safetensors", "checkpoints/*.ckpt", "diffusers/*/model_index.json"),
        "Stable Diffusion 1.5",
        "checkpoints",
    ),
    "motion": Kind(
        tuple(f"animatediff_models/{name}" for name in ("*.safetensors", "*.ckpt", "*.pt", "*.pth", "*/config.json")),
        "motion module such as v3_sd15_mm.ckpt",
        "animatediff_models",
    ),
    "taesd": Kind(
        ("vae_approx/taesd_decoder.safetensors", "vae_approx/taesd_decoder.pth"),
        "TAESD decoder such as taesd_decoder.safetensors",
        "vae_approx",
    ),
}
INDEX_FILES = ("model_index.json", "config.json")


@dataclass(frozen=True)
class ModelFiles:
    """The kinds of models that a command needs, and where they are: nowhere if the built-in ones are meant."""

    needed: tuple[str, ...]
    paths: Mapping[str, Path]
    loras: tuple[Lora, ...] = ()

    @property
    def built_in(self) -> bool:
        return not self.paths


def find_models(options: Namespace, *needed: str) -> ModelFiles:
    """The models that the options name. Raises CheckpointError for one that is not there, or not the only one."""
    named = {kind: _existing(getattr(options, kind), f"--{kind}") for kind in needed if getattr(options, kind)}
    loras = tuple(_lora(text) for text in getattr(options, "lora", ()))
    if options.models:
        _existing(options.models, "--models")
        found = {kind: named.get(kind) or _only(kind, Path(options.models)) for kind in needed}
        return ModelFiles(needed, found, loras)
    missing = [f"--{kind}" for kind in needed if kind not in named]
    if named and missing:
        raise CheckpointError(f"This command needs more models: also give {' and '.join(missing)}, or --models.")
    if loras and not named:
        raise CheckpointError("--lora changes a Stable Diffusion 1.5: name it with --base, or give --models.")
    return ModelFiles(needed, named, loras)


def _existing(path: str, option: str) -> Path:
    if not Path(path).exists():
        raise CheckpointError(f"{option}: there is no {path}. Check the name and the folder.")
    return Path(path)


def _lora(text: str) -> Lora:
    """FILE or FILE:STRENGTH. A colon may also stand in the name of a file, and does after a drive's letter."""
    path, _, strength = text.rpartition(":")
    try:
        named = (path, float(strength)) if path and not Path(text).exists() else (text, 1.0)
    except ValueError:
        named = text, 1.0
    return Lora(_existing(named[0], "--lora"), named[1])


def _only(kind: str, models: Path) -> Path:
    wanted, folder = KINDS[kind].wanted, models / KINDS[kind].folder
    found = sorted(
        path.parent if path.name in INDEX_FILES else path
        for pattern in KINDS[kind].patterns
        for path in models.glob(pattern)
    )
    if not found:
        raise CheckpointError(f"There is no {wanted} in {models}. Put one into {folder}, or name it with --{kind}.")
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(models)) for path in found)
        raise CheckpointError(
            f"{models} holds several models that could be the {wanted}: {names}. Choose one with --{kind}."
        )
    return found[0]
