"""The models that a command runs on."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ..binders.base import Binder, part_for
from ..binders.imagebind import load_imagebind
from ..errors import CheckpointError
from ..generators import animatediff, audioldm, mm_diffusion
from ..generators.animatediff import load_animatediff
from ..generators.audioldm import load_audioldm
from ..generators.mm_diffusion import load_mm_diffusion
from ..tensors.placement import placed
from ..tensors.precision import DTYPES
from .keeping import loaded
from .model_files import ModelFiles

DEMO_NOTICE = (
    "No --models given: running on the built-in TOY models. They know eight events of a drawn world, such "
    "as 'a red ball bounces with a thud', and make 2 s: sound, and 16 small frames. For anything else see "
    "'Real models' in the README."
)

#: The child modules of a generator that one stage of the work uses alone.
TEXT_ENCODER, IMAGE_ENCODER = "text_encoder", "vae"


@dataclass(frozen=True)
class LoadedModels:
    """Loaded models. They wait on the host: each stage of the work brings to the device what it needs.

    built_in: whether they are the built-in toys. generators: by stream; for "audio" an AudioModel, for "video" a
    VideoModel, or for both the same JointModel.
    """

    device: torch.device
    built_in: bool
    binder: Binder
    generators: Mapping[str, Any] = field(default_factory=dict)

    def on_device(self, *parts: object) -> AbstractContextManager[None]:
        """Within the context these parts are on the device. What is no module takes care of itself."""
        return placed([part for part in parts if isinstance(part, nn.Module)], self.device)

    def binder_parts(self, *modalities: str) -> list[object]:
        """The parts of the binder that embed these modalities, as far as it embeds them."""
        return [part_for(self.binder, modality) for modality in modalities if modality in self.binder.parts]

    @property
    def text_encoders(self) -> list[object]:
        """What reads prompts."""
        return [*self.binder_parts("text"), *(part_of(model, TEXT_ENCODER) for model in self._models)]

    @property
    def sampling_parts(self) -> list[object]:
        """What makes signals and embeds them."""
        return [
            *self.binder_parts(*self.generators),
            *(part for model in self._models for part in _parts_without(model, TEXT_ENCODER)),
        ]

    @property
    def _models(self) -> list[Any]:
        """The generators; one that makes several streams counts once."""
        return list({id(model): model for model in self.generators.values()}.values())


def part_of(model: object, name: str) -> object:
    """The child module of this name, or the whole model where it has none."""
    part = getattr(model, name, None)
    return part if isinstance(part, nn.Module) else model


def _parts_without(model: object, name: str) -> Iterable[object]:
    """The child modules but this one, or the whole model where it has none of this name."""
    if part_of(model, name) is model or not isinstance(model, nn.Module):
        return [model]
    return [part for child, part in model.named_children() if child != name]


def load_models(options: Namespace, files: ModelFiles) -> LoadedModels:
    """The models from their files, or the built-in ones. Raises CheckpointError."""
    device = _device(options.device)
    dtype = DTYPES.get(options.dtype, torch.float32 if device.type == "cpu" else torch.float16)
    if files.built_in:
        loaded(print, DEMO_NOTICE)  # once, where models stay loaded
        return _built_in_models(files, device, dtype)
    return _models_from_files(files, device, dtype)


def _models_from_files(files: ModelFiles, device: torch.device, dtype: torch.dtype) -> LoadedModels:
    paths = files.paths
    others = {role: loaded(load, dtype=dtype) for role, load in files.loaders.items()}
    generators: dict[str, Any] = {}
    if "video_generator" in others:
        generators[animatediff.STREAM] = others["video_generator"]
    elif "base" in files.needed:
        generators[animatediff.STREAM] = loaded(
            load_animatediff,
            paths["base"],
            paths.get("motion"),
            loras=files.loras,
            taesd=paths.get("taesd"),
            dtype=dtype,
        )
    if "audio_generator" in others:
        generators[audioldm.STREAM] = others["audio_generator"]
    elif "audioldm" in files.needed:
        generators[audioldm.STREAM] = loaded(load_audioldm, paths["audioldm"], dtype=dtype)
    if "coupled" in files.needed:
        generators = dict.fromkeys(mm_diffusion.STREAMS, loaded(load_mm_diffusion, paths["coupled"], dtype=dtype))
    binder = others["binder"] if "binder" in others else loaded(load_imagebind, paths["imagebind"], dtype=dtype)
    return LoadedModels(device, False, binder, generators)


def _built_in_models(files: ModelFiles, device: torch.device, dtype: torch.dtype) -> LoadedModels:
    from ..demo.family import load_demo_animatediff, load_demo_audioldm, load_demo_imagebind, load_demo_mm_diffusion

    generators: dict[str, Any] = {}
    if "base" in files.needed:
        generators[animatediff.STREAM] = loaded(load_demo_animatediff, motion="motion" in files.needed, dtype=dtype)
    if "audioldm" in files.needed:
        generators[audioldm.STREAM] = loaded(load_demo_audioldm, dtype=dtype)
    if "coupled" in files.needed:
        generators = dict.fromkeys(mm_diffusion.STREAMS, loaded(load_demo_mm_diffusion, dtype=dtype))
    return LoadedModels(device, True, loaded(load_demo_imagebind, dtype=dtype), generators)


def _device(name: str) -> torch.device:
    if name != "auto":
        try:
            device = torch.device(name)
            torch.zeros((), device=device).item()
        except (RuntimeError, AssertionError) as error:
            raise CheckpointError(f"The device {name!r} cannot be used: {error}") from error
        return device
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
