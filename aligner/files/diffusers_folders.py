"""Strict loading of model folders in the diffusers layout: one subfolder per component, each with its own config."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from ..errors import CheckpointError, listed

#: Position ids are a buffer that older versions of transformers saved and newer ones compute.
_OBSOLETE = "position_ids"


def require_pipeline(folder: str | Path, pipeline: str, components: tuple[str, ...]) -> Path:
    """Check that a folder holds the named diffusers pipeline with all its components.

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
    """A JSON file's contents. Raises CheckpointError if it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error}). Download the model again.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is damaged: it should hold a JSON object. Download the model again.")
    return content


def load_component(cls: type, folder: Path, name: str, dtype: torch.dtype, device: torch.device | str) -> nn.Module:
    """A frozen component in the given precision, from safetensors or a weights-only .bin.

    cls: a diffusers or transformers model class; folder / name holds its config and weights.
    Raises CheckpointError if a key is missing, unexpected or of another shape, or the file is damaged or unsafe.
    """
    options = {"local_files_only": True, "output_loading_info": True}
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
        # What is computed instead of loaded, as rotary frequencies, is not exact enough in half precision.
        cast = tensor.is_floating_point() and key in loaded
        # Always a copy: a tensor that stays mapped would change or vanish together with the file.
        tensor.data = tensor.data.to(device, dtype if cast else None, copy=True)
    return model.eval().requires_grad_(False)


def load_part(cls: type, folder: Path, name: str):
    """A component without weights, such as a tokenizer or scheduler. Raises CheckpointError."""
    return _read(folder / name, cls.from_pretrained, str(folder / name), local_files_only=True)


def require_vocabulary(tokenizer, words: int, place: Path) -> None:
    """Raise CheckpointError unless a tokenizer knows as many words as its text encoder.

    Without its files a tokenizer loads all the same, and knows no word.
    """
    if len(tokenizer) != words:
        raise CheckpointError(
            f"{place} knows {len(tokenizer)} words, but the text encoder {words}. Files such as "
            "vocab.json are missing there or belong to another model."
        )


def _precision_option() -> str:
    """What transformers calls the precision to load in: versions before 4.56 know no dtype, later ones warn of
    torch_dtype."""
    import transformers

    version = tuple(map(int, transformers.__version__.split(".")[:2]))
    return "dtype" if version >= (4, 56) else "torch_dtype"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' progress bars over single weights; the host's own setting comes back afterwards."""
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
            disable_progress_bars()  # the line above switches on the hub's bars too


def _read(place: Path, load, *args, **options):
    try:
        return load(*args, **options)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{place} holds a file that asks to run code while it is loaded, or is damaged. "
            "It was not loaded. Get the weights as safetensors."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged config makes the libraries fail in every way there is
        raise CheckpointError(f"{place} cannot be loaded ({type(error).__name__}): {error}") from error
