"""Weight files, opened without running code from them and without reading more than is asked for."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import CheckpointError
from .atomic import written_whole

#: A description that some of AnimateDiff's files carry among their tensors.
_NOTES = ("animatediff_config",)


@dataclass(frozen=True)
class WeightFile:
    """An open weight file.

    path: for messages. metadata: what a safetensors file says about itself. shapes: of every tensor. take: reads one
    tensor onto the CPU; to be called once for each name.
    """

    path: Path
    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    take: Callable[[str], torch.Tensor]

    def renamed(self, rename: Callable[[str], str | None]) -> WeightFile:
        """The same weights under other names, without those that `rename` answers with None.

        Raises CheckpointError if two weights would have the same name.
        """
        sources: dict[str, str] = {}
        for source in self.shapes:
            name = rename(source)
            if name in sources:
                raise CheckpointError(f"{self.path} holds {name} twice, as {sources[name]} and as {source}.")
            if name is not None:
                sources[name] = source
        shapes = {name: self.shapes[source] for name, source in sources.items()}
        return WeightFile(self.path, self.metadata, shapes, lambda name: self.take(sources[name]))


@contextmanager
def open_weights(path: Path) -> Iterator[WeightFile]:
    """Open a safetensors file, or else a file of torch.save that holds nothing but named tensors.

    Training frameworks wrap the tensors as "state_dict" in a dict of their own notes: these notes are left aside.
    Raises CheckpointError if there is no such file, it is damaged, or it wants to run code.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no weight file {path}.")
    opened = _safetensors(path) if path.suffix.lower() == ".safetensors" else _pickled(path)
    with opened as weights:
        yield weights


def held_weights(path: Path, state: dict[str, torch.Tensor]) -> WeightFile:
    """Weights that have been read already. Each leaves the dict when it is taken, so that its memory can be freed."""
    return WeightFile(path, {}, {name: tuple(tensor.shape) for name, tensor in state.items()}, state.pop)


def save_weights(path: str | os.PathLike, state: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and metadata as safetensors; under any other suffix as torch.save does, without metadata.

    The file appears under its name only when it is complete. Raises MediaError if it cannot be written.
    """
    from safetensors.torch import save_file

    state = {name: tensor.detach().contiguous() for name, tensor in state.items()}
    with written_whole(path) as partial:
        if partial.suffix.lower() == ".safetensors":
            save_file(state, partial, metadata={"format": "pt", **metadata})
        else:
            torch.save(state, partial)


@contextmanager
def _safetensors(path: Path) -> Iterator[WeightFile]:
    from safetensors import SafetensorError, safe_open

    try:
        file = safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a complete safetensors file ({error}). Download it again.") from error
    with file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
        yield WeightFile(path, file.metadata() or {}, shapes, file.get_tensor)


@contextmanager
def _pickled(path: Path) -> Iterator[WeightFile]:
    state = _unpickled(path)
    if isinstance(state, dict):
        state = state.get("state_dict", state)
    if isinstance(state, dict):
        state = {name: value for name, value in state.items() if name not in _NOTES}
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise CheckpointError(f"{path} holds more than named tensors. Choose a file of plain weights.")
    yield held_weights(path, state)


def _unpickled(path: Path) -> object:
    try:
        # Only the zip format, in use since torch 1.6, can be mapped into memory instead of being read whole.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way at all
        if "unsupported global" in str(error).lower():
            raise CheckpointError(
                f"{path} is refused because loading it would run code from the file. "
                "Choose a file of plain weights, or its safetensors version."
            ) from error
        raise CheckpointError(
            f"{path} is not a complete file of plain weights ({type(error).__name__}). Download it again."
        ) from error
