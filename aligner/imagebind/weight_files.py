"""Weight files, opened without running code from them and without reading more than is asked for."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import CheckpointError


@dataclass(frozen=True)
class WeightFile:
    """An open weight file.

    metadata: what a safetensors file says about itself. shapes: of every tensor. take: reads one tensor onto
    the CPU; to be called once for each name.
    """

    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    take: Callable[[str], torch.Tensor]


@contextmanager
def open_weights(path: Path) -> Iterator[WeightFile]:
    """Open a safetensors file, or else a file of torch.save that holds nothing but named tensors.

    Raises CheckpointError if there is no such file, it is damaged, or it wants to run code.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no weight file {path}.")
    opened = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    with opened as weights:
        yield weights


@contextmanager
def _safetensors(path: Path) -> Iterator[WeightFile]:
    from safetensors import SafetensorError, safe_open

    try:
        file = safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a complete safetensors file ({error}). "
                              "Download it again.") from error
    with file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
        yield WeightFile(file.metadata() or {}, shapes, file.get_tensor)


@contextmanager
def _pickled(path: Path) -> Iterator[WeightFile]:
    state = _unpickled(path)
    if not isinstance(state, dict) or not all(isinstance(name, str) and isinstance(value, torch.Tensor)
                                              for name, value in state.items()):
        raise CheckpointError(f"{path} holds more than named tensors. Choose a file of plain weights.")
    yield WeightFile({}, {name: tuple(tensor.shape) for name, tensor in state.items()}, state.pop)


def _unpickled(path: Path) -> object:
    try:
        # Only the zip format, in use since torch 1.6, can be mapped into memory instead of being read whole.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way at all
        if "unsupported global" in str(error).lower():
            raise CheckpointError(f"{path} is refused because loading it would run code from the file. "
                                  "Choose a file of plain weights, or its safetensors version.") from error
        raise CheckpointError(f"{path} is not a complete file of plain weights ({type(error).__name__}). "
                              "Download it again.") from error
