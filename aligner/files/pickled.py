"""Files of torch.save, read without running code from them."""

from __future__ import annotations

import itertools
import pickletools
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from ..errors import CheckpointError

#: The packages and modules whose classes stand in the notes that training frameworks save beside the weights.
_FRAMEWORKS = {
    *("pytorch_lightning", "lightning", "lightning_fabric", "omegaconf", "numpy", "_codecs"),
    *("collections", "pathlib", "typing", "argparse", "datetime"),
}
#: Types of values in such notes.
_BUILT_IN = {"builtins.dict", "builtins.list", "builtins.int", "builtins.float", "builtins.str"}


def unpickled(path: Path) -> object:
    """What a file holds. Objects of training frameworks are empty stand-ins; nothing of the frameworks is imported.

    Raises CheckpointError if the file is damaged, or refers to anything but tensors, plain values and such objects:
    loading that would run code.
    """
    try:
        try:
            return _loaded(path)
        except Exception as error:
            if not _is_about_code(error):
                raise
        with torch.serialization.safe_globals(_stand_ins(path)):
            return _loaded(path)
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can raise any exception
        if _is_about_code(error):
            raise CheckpointError(
                f"{path} is refused because loading it would run code from the file. "
                "Choose a file of plain weights, or its safetensors version."
            ) from error
        raise CheckpointError(
            f"{path} is not a complete file of plain weights ({type(error).__name__}). Download it again."
        ) from error


class _Note:
    """Stands for any object of a framework and keeps nothing of it."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


class _Table:
    """Stands for a framework's own kind of dict. torch fills only plain ones."""

    def __new__(cls, *args, **kwargs):
        return OrderedDict()


def _loaded(path: Path) -> object:
    # Only the zip format (torch 1.6 and later) can be memory-mapped instead of read whole.
    return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))


def _is_about_code(error: Exception) -> bool:
    return "unsupported global" in str(error).lower()


def _stand_ins(path: Path) -> list[Any]:
    """Empty classes under the names of the frameworks' classes that a file refers to."""
    return [_stand_in(module, name) for module, name in sorted(_references(path)) if _is_note(module, name)]


def _references(path: Path) -> set[tuple[str, str]]:
    """{(module, name)} of the classes and functions that a file refers to; empty for formats before torch 1.6."""
    if not zipfile.is_zipfile(path):
        return set()
    with zipfile.ZipFile(path) as archive:
        pickles = [archive.read(entry) for entry in archive.namelist() if entry.endswith("/data.pkl")]
    found = set()
    for opcode, argument, _ in itertools.chain.from_iterable(map(pickletools.genops, pickles)):
        if opcode.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            # Pickles name the built-ins as Python 2 did; torch translates it.
            found.add((module.replace("__builtin__", "builtins"), name))
    return found


def _is_note(module: str, name: str) -> bool:
    return module.split(".")[0] in _FRAMEWORKS or f"{module}.{name}" in _BUILT_IN


def _stand_in(module: str, name: str) -> type:
    base = _Table if name.lower().endswith("dict") else _Note
    return type(name, (base,), {"__module__": module, "__qualname__": name})
