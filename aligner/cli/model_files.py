"""Where the models of a command are: named one by one, found in a models folder, or loaded by another package."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import AlignerError, CheckpointError
from ..files.catalogue import INDEX_FILES, KINDS, files_matching
from ..generators.stable_diffusion import Lora
from .installed import BINDERS, GENERATORS, NamedPath, installed

#: By the role of a model from another package: the group of its entry points, and the options that it replaces.
ROLES = {
    "binder": (BINDERS, ("imagebind",)),
    "audio_generator": (GENERATORS, ("audioldm",)),
    "video_generator": (GENERATORS, ("base", "motion", "taesd", "lora")),
}


@dataclass(frozen=True)
class ModelFiles:
    """The models that a command needs, and where they are.

    needed: the kinds of KINDS among them. paths: by kind; empty where the built-in models are meant. loaders: by role,
    what loads a model of another package; called with dtype.
    """

    needed: tuple[str, ...]
    paths: Mapping[str, Path]
    loras: tuple[Lora, ...] = ()
    loaders: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    @property
    def built_in(self) -> bool:
        return not self.paths and not self.loaders


def find_models(options: Namespace, *needed: str) -> ModelFiles:
    """The models that the options name.

    needed: the kinds of KINDS that the command takes where no package replaces them. Raises CheckpointError for one
    that is not there, or not the only one, and AlignerError for two in one place.
    """
    chosen = {role: given for role in ROLES if (given := getattr(options, role, None))}
    _refuse_replaced(options, chosen)
    replaced = {kind for role in chosen for kind in ROLES[role][1]}
    needed = tuple(kind for kind in needed if kind not in replaced)
    loaders = {role: _loader(role, given) for role, given in chosen.items()}
    named = {kind: _existing(getattr(options, kind), f"--{kind}") for kind in needed if getattr(options, kind)}
    loras = tuple(_lora(text) for text in getattr(options, "lora", ()))
    if options.models:
        _existing(options.models, "--models")
        found = {kind: named.get(kind) or _only(kind, Path(options.models)) for kind in needed}
        return ModelFiles(needed, found, loras, loaders)
    missing = [f"--{kind}" for kind in needed if kind not in named]
    if (named or loaders) and missing:
        raise CheckpointError(f"This command needs more models: also give {' and '.join(missing)}, or --models.")
    if loras and not named:
        raise CheckpointError("--lora changes a Stable Diffusion 1.5: name it with --base, or give --models.")
    return ModelFiles(needed, named, loras, loaders)


def _refuse_replaced(options: Namespace, chosen: Mapping[str, NamedPath]) -> None:
    for role, given in chosen.items():
        for name in ROLES[role][1]:
            if getattr(options, name, None):
                raise AlignerError(f"{given.option} takes the place of --{name}: leave one of them out.")


def _loader(role: str, given: NamedPath) -> Callable[..., Any]:
    return partial(installed(ROLES[role][0], given.name, given.option), given.path)


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
    """The one model of a kind in a models folder."""
    wanted, folder = KINDS[kind].wanted, models / KINDS[kind].folder
    found = sorted(
        path.parent if path.name in INDEX_FILES else path
        for pattern in KINDS[kind].patterns
        for path in files_matching(models, pattern)
        if not KINDS[kind].other(path)
    )
    if not found:
        raise CheckpointError(f"There is no {wanted} in {models}. Put one into {folder}, or name it with --{kind}.")
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(models)) for path in found)
        raise CheckpointError(
            f"{models} holds several models that could be the {wanted}: {names}. Choose one with --{kind}."
        )
    return found[0]
