"""Strict loading of model folders in the diffusers layout: one subfolder per component, each with its own config."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import CheckpointError, listed

#: A buffer that older versions of transformers saved and newer ones compute.
_OBSOLETE = "position_ids"


def require_pipeline(folder: str | Path, pipeline: str, components: tuple[str, ...]) -> Path:
    """Check that a folder holds a diffusers pipeline with all its components; return the folder as a Path.

    pipeline: the expected class name in model_index.json. components: names of the subfolders.
    Raises CheckpointError that says what is missing or what the folder holds instead.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"There is no model folder {folder}. Give the folder that holds model_index.json.")
    index = folder / "model_index.json"
    if not index.is_file():
        raise CheckpointError(f"{folder} is not a model folder in the diffusers layout: it has no model_index.json.")
    found = read_json(index).get("_class_name")
    if found != pipeline:
        raise CheckpointError(f"{folder} holds a {found}, not a {pipeline}. Choose another folder.")
    missing = [name for name in components if not (folder / name).is_dir()]
    if missing:
        raise CheckpointError(
            f"{folder} is incomplete: the folders {', '.join(missing)} are missing. Download the model again."
        )
    return folder


def read_json(path: Path) -> dict:
    """Read a JSON object. Raises CheckpointError if the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error}). Download the model again.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is damaged: it should hold a JSON object. Download the model again.")
    return content


def load_component(cls: Any, folder: Path, name: str, dtype: torch.dtype, device: torch.device | str) -> nn.Module:
    """Load one component, frozen and in eval mode, from safetensors or a weights-only .bin.

    cls: a model class of diffusers or transformers. folder / name: holds its config and weights. dtype: of the
    loaded floating-point tensors; computed buffers keep their own.
    Raises CheckpointError if a key is missing, unexpected or of another shape, or the file is damaged or unsafe.
    """
    options: dict[str, Any] = {"local_files_only": True, "output_loading_info": True}
    if cls.__module__.startswith("diffusers."):
        options |= {"torch_dtype": dtype, "low_cpu_mem_usage": find_spec("accelerate") is not None}
    else:
        options[_precision_option()] = dtype
    with quiet():
        model, info = _read(folder / name, cls.from_pretrained, str(folder), subfolder=name, **options)
    problems = [
        f"{len(keys)} {kind.replace('_', ' ')}: {listed(sorted(keys))}"
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if (keys := [str(key) for key in info.get(kind, ()) if not str(key).endswith(_OBSOLETE)])
    ]
    if problems:
        raise CheckpointError(f"{folder / name} does not hold the weights its config describes. " + "; ".join(problems))
    loaded = model.state_dict().keys()
    for key, tensor in (*model.named_parameters(), *model.named_buffers()):
        # Computed buffers, such as rotary frequencies, are not exact enough in half precision.
        cast = tensor.is_floating_point() and key in loaded
        # Always copy: a memory-mapped tensor would change or vanish together with its file.
        tensor.data = tensor.data.to(device, dtype if cast else None, copy=True)
    return model.eval().requires_grad_(False)


def load_part(cls: Any, folder: Path, name: str):
    """Load a component without weights, such as a tokenizer or scheduler, from folder / name.

    cls: a class with from_pretrained. Raises CheckpointError if the files are missing or damaged.
    """
    return _read(folder / name, cls.from_pretrained, str(folder / name), local_files_only=True)


def require_vocabulary(tokenizer, words: int, place: Path) -> None:
    """Check that the vocabulary of a tokenizer has the size that its text encoder expects.

    A tokenizer whose files are missing loads without an error, but with an empty vocabulary.

    words: the vocabulary size of the text encoder. place: the tokenizer's folder, for messages.
    Raises CheckpointError if the sizes differ.
    """
    if len(tokenizer) != words:
        raise CheckpointError(
            f"{place} has a vocabulary of {len(tokenizer)} tokens, but the text encoder expects {words}. Files such as "
            "vocab.json are missing or belong to another model. Download the model again."
        )


def _precision_option() -> str:
    """The name of from_pretrained's option for precision.

    Versions of transformers before 4.56 lack `dtype`; later ones warn about `torch_dtype`.
    """
    import transformers

    version = tuple(map(int, transformers.__version__.split(".")[:2]))
    return "dtype" if version >= (4, 56) else "torch_dtype"


@contextmanager
def quiet() -> Iterator[None]:
    """Hide the progress bars of transformers within the context; restore the host's settings afterwards."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars
    from transformers.utils import logging

    shown, hub_shown = logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
        if not hub_shown:
            disable_progress_bars()  # enable_progress_bar enables the bars of huggingface_hub too


def _read(place: Path, load, *args, **options):
    try:
        return load(*args, **options)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{place} holds a file that is damaged or would run code while loading. "
            "It was not loaded. Get the weights as safetensors."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # with a damaged config the libraries can raise any exception
        raise CheckpointError(f"{place} cannot be loaded ({type(error).__name__}): {error}") from error
