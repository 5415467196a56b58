"""Model folders without the code that they bring: none of it runs, and nobody is asked whether it may."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import CheckpointError

#: The entries of configs that name code: classes in the folder or on the model hub, and kernels on the model hub.
_NAMES_OF_CODE = {
    "auto_map",
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "experts_implementation",
    "_experts_implementation",
    "_experts_implementation_internal",
}
#: Code, and weights, which are large and no settings.
_LEFT_OUT = {".py", ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf"}

#: The largest vocabularies have some tens of megabytes. What is larger is no setting. In bytes.
_LARGEST = 2**27

#: The file by which peft's adapters name the model that they change. transformers loads that one instead.
_ADAPTER = "adapter_config.json"

#: The lists of shards, also of a variant: model.safetensors.index.fp16.json.
_INDEX = re.compile(r"\.index(\.\w+)?\.json$")


@contextmanager
def settings_without_code(folder: Path) -> Iterator[Path]:
    """A temporary copy of the settings in a model folder: configs, vocabularies and templates.

    Its configs name neither code nor kernels. Only regular files are read. Raises OSError where one cannot be read.
    """
    with TemporaryDirectory(prefix="aligner-") as place:
        copy = Path(place) / folder.name
        shutil.copytree(folder, copy, ignore=_left_out, copy_function=_copied)
        yield copy


def names_code(folder: Path) -> bool:
    """Whether a config in a model folder names classes of code that is no part of a library."""
    configs = [path for path in folder.glob("*.json") if path.is_file()]
    return any('"auto_map"' in path.read_text(encoding="utf-8", errors="replace") for path in configs)


def needs_code(folder: Path) -> CheckpointError:
    """The error for a model folder that cannot be loaded without its own code."""
    return CheckpointError(
        f"{folder} brings code of its own, which never runs here, and cannot be loaded without it. Choose a model that "
        "transformers knows by itself."
    )


def require_own_files(folder: Path) -> None:
    """Check that a model folder is made of regular files, and that its weights lie in it.

    Raises CheckpointError for a pipe, a socket or a broken link, which a library would wait for or fail at, for a list
    of shards that leads out of the folder, and for an adapter, which leads to a model elsewhere.
    """
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be read ({error.strerror}). Check its permissions.") from error
    for path in entries:
        if not (path.is_file() or path.is_dir()):
            raise CheckpointError(f"{path} is no file that can be read. Remove it, or download the model again.")
        if path.name == _ADAPTER:
            raise CheckpointError(
                f"{folder} holds an adapter for another model, not a whole model. Choose a whole one."
            )
        if _INDEX.search(path.name):
            _require_shards_inside(path)


def require_plain_weights(folder: Path, config: Mapping[str, Any]) -> None:
    """Check by its config that the weights in a model folder are not quantised.

    Libraries may fetch code from the model hub to read quantised ones. Raises CheckpointError.
    """
    if config.get("quantization_config"):
        raise CheckpointError(
            f"{folder} holds quantised weights, which are not supported. Choose the model in fp32, bf16 or fp16."
        )


def _require_shards_inside(index: Path) -> None:
    try:
        shards = list(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{index} is damaged ({type(error).__name__}). Download the model again.") from error
    for name in shards:
        # PureWindowsPath knows both kinds of slashes, and drives.
        if not isinstance(name, str) or PureWindowsPath(name).name != name or "\0" in name:
            raise CheckpointError(
                f"{index} names {name!r}, which is no file beside it. It was not loaded. Download the model again."
            )


def _left_out(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not _is_wanted(Path(folder) / name)]


def _is_wanted(path: Path) -> bool:
    if path.name.startswith(".") or path.suffix.lower() in _LEFT_OUT:
        return False
    # A link to a folder may lead in a circle, or to all files of a machine. Hubs link single files.
    if path.is_dir():
        return not path.is_symlink()
    return path.is_file() and path.stat().st_size <= _LARGEST


def _copied(source: str, target: str) -> None:
    content = Path(source).read_bytes()
    if source.lower().endswith(".json"):
        try:
            content = json.dumps(_cleaned(json.loads(content))).encode()
        except (ValueError, RecursionError):
            return  # a note of somebody; a library names a setting that it misses
    Path(target).write_bytes(content)


def _cleaned(value: Any) -> Any:
    """A JSON value without the entries that name code, at any depth."""
    if isinstance(value, dict):
        return {name: _cleaned(entry) for name, entry in value.items() if name not in _NAMES_OF_CODE}
    return [_cleaned(entry) for entry in value] if isinstance(value, list) else value
