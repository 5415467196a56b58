"""Which models a command runs on, and loading them."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import torch

from ..errors import CheckpointError
from ..generators.audioldm import AudioLDM, load_audioldm
from ..imagebind import ImageBind, load_imagebind
from ..precision import DTYPES

DEMO_NOTICE = ("No --models given: running on small built-in models with RANDOM weights. They show that everything "
               "works; what you hear is noise.")


def load_models(options: Namespace) -> tuple[AudioLDM, ImageBind]:
    """The generator and the binder that the options name, or the built-in ones. Raises CheckpointError."""
    device, dtype = _device(options.device), options.dtype
    dtype = DTYPES.get(dtype, torch.float32 if device.type == "cpu" else torch.float16)
    audioldm, imagebind = _audioldm_folder(options), _imagebind_file(options)
    if audioldm is None and imagebind is None:
        from ..demo.random_models import load_random_audioldm, load_random_imagebind

        print(DEMO_NOTICE)
        return load_random_audioldm(dtype=dtype, device=device), load_random_imagebind(dtype=dtype, device=device)
    for name, found in (("--audioldm", audioldm), ("--imagebind", imagebind)):
        if found is None:
            raise CheckpointError(f"Guidance needs both AudioLDM and ImageBind: also give {name}, or --models.")
    return load_audioldm(audioldm, dtype=dtype, device=device), load_imagebind(imagebind, dtype=dtype, device=device)


def _audioldm_folder(options: Namespace) -> Path | None:
    if options.audioldm or not options.models:
        return Path(options.audioldm) if options.audioldm else None
    place = Path(options.models) / "audioldm"
    return _only(sorted(index.parent for index in [*place.glob("model_index.json"), *place.glob("*/model_index.json")]),
                 place, "an AudioLDM folder such as audioldm-m-full", "--audioldm")


def _imagebind_file(options: Namespace) -> Path | None:
    if options.imagebind or not options.models:
        return Path(options.imagebind) if options.imagebind else None
    place = Path(options.models) / "imagebind"
    return _only(sorted([*place.glob("*.safetensors"), *place.glob("*.pth")]),
                 place, "imagebind_huge.pth or imagebind_huge.safetensors", "--imagebind")


def _only(found: list[Path], place: Path, wanted: str, option: str) -> Path:
    if not found:
        raise CheckpointError(f"There is no model in {place}. Put {wanted} there.")
    if len(found) > 1:
        raise CheckpointError(f"{place} holds several models: {', '.join(path.name for path in found)}. "
                              f"Choose one with {option}.")
    return found[0]


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
