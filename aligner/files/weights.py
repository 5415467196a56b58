"""Weight files, opened without running code from them. Tensors are read one by one, on request."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import CheckpointError
from .atomic import UNLISTED, written_whole
from .pickled import unpickled

#: Entries beside the tensors that are no weights: some of AnimateDiff's files hold a description.
_NOTES = ("animatediff_config",)

#: Keys under which training frameworks store the tensors beside other values.
_TENSORS = ("state_dict", "model")

_SAFETENSORS = (".safetensors", ".sft")
#: The suffixes of files with tensors by name. Those beside safetensors are of torch.save.
SUFFIXES = (*_SAFETENSORS, ".ckpt", ".pth", ".pt", ".bin")


@dataclass(frozen=True)
class WeightFile:
    """An open weight file.

    path: for messages. metadata: the header strings of a safetensors file, otherwise empty. shapes: by tensor name.
    take: reads the tensor of a name onto the CPU; call it at most once for each name.
    """

    path: Path
    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    take: Callable[[str], torch.Tensor]

    def renamed(self, rename: Callable[[str], str | None]) -> WeightFile:
        """The same weights under new names. A weight is left out if `rename` returns None for its name.

        Raises CheckpointError if two weights get the same name.
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
    """Open a safetensors file or, with any other suffix, a file of torch.save that holds named tensors.

    Training frameworks store the tensors under a key such as "state_dict" beside other values, which are ignored.
    Raises CheckpointError if the file is missing or damaged, or would run code while loading.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no weight file {path}.")
    opened = _safetensors(path) if path.suffix.lower() in _SAFETENSORS else _pickled(path)
    with opened as weights:
        yield weights


def held_weights(path: Path, state: dict[str, torch.Tensor]) -> WeightFile:
    """Wrap tensors in memory as a WeightFile. `take` removes a tensor from the dict, so that its memory is freed."""
    return WeightFile(path, {}, {name: tuple(tensor.shape) for name, tensor in state.items()}, state.pop)


def save_weights(path: str | os.PathLike, state: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and metadata as .safetensors or, with any other suffix, the tensors alone with torch.save.

    The file appears under its name only when it is complete. Raises MediaError if it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    state = {name: tensor.detach().contiguous() for name, tensor in state.items()}
    with written_whole(path, UNLISTED) as partial:
        try:
            if Path(path).suffix.lower() == ".safetensors":
                save_file(state, partial, metadata={"format": "pt", **metadata})
            else:
                torch.save(state, partial)
        except (SafetensorError, RuntimeError) as error:  # so both libraries say that the disk is full
            raise OSError(str(error)) from error


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
    state = _without_notes(unpickled(path))
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise CheckpointError(f"{path} holds more than named tensors. Choose a file of plain weights.")
    yield held_weights(path, state)


def _without_notes(content: object) -> object:
    """The tensors of a file without the values that training frameworks store beside them."""
    for key in _TENSORS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if isinstance(content, dict) and len(content) == 1:
        (only,) = content.values()
        content = only if isinstance(only, dict) else content
    if isinstance(content, dict):
        content = {name: value for name, value in content.items() if name not in _NOTES}
    return content
