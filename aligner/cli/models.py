"""The models that a command runs on."""

from __future__ import annotations

from argparse import Namespace
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import nn

from ..binders.imagebind import ImageBind, load_imagebind
from ..errors import CheckpointError
from ..generators.animatediff import AnimateDiff, load_animatediff
from ..generators.audioldm import AudioLDM, load_audioldm
from ..tensors.placement import placed
from ..tensors.precision import DTYPES
from .model_files import ModelFiles

DEMO_NOTICE = (
    "No --models given: running on the built-in TOY models. They know eight events of a drawn world, such "
    "as 'a red ball bounces with a thud', 2 s of sound and 16 frames of 64 x 64. For anything else see "
    "'Real models' in the README."
)


@dataclass(frozen=True)
class Models:
    """Loaded models. They wait on the host: each stage of the work brings to the device what it needs."""

    device: torch.device
    built_in: bool
    binder: ImageBind
    audioldm: AudioLDM | None = None
    animatediff: AnimateDiff | None = None

    def on_device(self, *parts: nn.Module) -> AbstractContextManager[None]:
        """Within the context these parts are on the device."""
        return placed(parts, self.device)

    @property
    def text_encoders(self) -> list[nn.Module]:
        """What reads prompts."""
        return [self.binder.text, *(generator.text_encoder for generator in self._generators)]

    @property
    def sampling_parts(self) -> list[nn.Module]:
        """What makes signals and looks at them."""
        towers = {"audioldm": self.binder.audio, "animatediff": self.binder.vision}
        return [
            *(tower for name, tower in towers.items() if getattr(self, name)),
            *(
                part
                for generator in self._generators
                for name, part in generator.named_children()
                if name != "text_encoder"
            ),
        ]

    @property
    def _generators(self) -> list[AudioLDM | AnimateDiff]:
        return [generator for generator in (self.audioldm, self.animatediff) if generator]


def load_models(options: Namespace, files: ModelFiles) -> Models:
    """The models from their files, or the built-in ones. Raises CheckpointError."""
    device = _device(options.device)
    dtype = DTYPES.get(options.dtype, torch.float32 if device.type == "cpu" else torch.float16)
    if files.built_in:
        print(DEMO_NOTICE)
        return Models(device, True, **_built_in_models(files, dtype))
    return Models(device, False, **_models_from_files(files, dtype))


def _models_from_files(files: ModelFiles, dtype: torch.dtype) -> dict[str, nn.Module]:
    paths, models = files.paths, {}
    if "base" in files.needed:
        models["animatediff"] = load_animatediff(
            paths["base"], paths.get("motion"), loras=files.loras, taesd=paths.get("taesd"), dtype=dtype
        )
    if "audioldm" in files.needed:
        models["audioldm"] = load_audioldm(paths["audioldm"], dtype=dtype)
    return {**models, "binder": load_imagebind(paths["imagebind"], dtype=dtype)}


def _built_in_models(files: ModelFiles, dtype: torch.dtype) -> dict[str, nn.Module]:
    from ..demo.family import (
        load_demo_animatediff,
        load_demo_audioldm,
        load_demo_imagebind,
    )

    models = {}
    if "base" in files.needed:
        models["animatediff"] = load_demo_animatediff(motion="motion" in files.needed, dtype=dtype)
    if "audioldm" in files.needed:
        models["audioldm"] = load_demo_audioldm(dtype=dtype)
    return {**models, "binder": load_demo_imagebind(dtype=dtype)}


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
