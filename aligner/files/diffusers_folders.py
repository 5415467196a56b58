"""Strict loading of model folders in the diffusers layout: one subfolder per component, each with its own config."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from ..errors import AlignerError, CheckpointError, is_out_of_memory, listed
from .json_objects import json_object
from .strict_loading import require_finite, unread, warn_of_unread
from .without_code import names_code, needs_code, require_own_files, require_plain_weights, settings_without_code

Built = TypeVar("Built")

#: A buffer that older versions of transformers saved and newer ones compute.
_OBSOLETE = "position_ids"

#: Files of weights, whole or in shards, and their variants, such as model.fp16.safetensors.
_WEIGHTS = re.compile(
    r"(diffusion_pytorch_model|pytorch_model|model)(-\d+-of-\d+)?(\.(?P<variant>\w+))?(-\d+-of-\d+)?\.(safetensors|bin)"
)
#: Variants, the best first.
_VARIANTS = ("fp32", "bf16", "fp16")


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
    if not path.is_file():
        raise CheckpointError(f"{path} cannot be read as JSON: it is missing or no file. Download the model again.")
    try:
        return json_object(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({error}). Download the model again.") from error


def load_component(cls: Any, folder: Path, name: str, dtype: torch.dtype, device: torch.device | str) -> nn.Module:
    """Load one component, frozen and in eval mode, from safetensors or a weights-only .bin.

    Weights of a variant, such as fp16, are read where there are no others. What no layer reads is left aside.

    cls: a model class of diffusers or transformers. folder / name: holds its config and weights. dtype: of the
    loaded floating-point tensors; computed buffers keep their own.
    Raises CheckpointError if a key is missing or of another shape, a layer has a key that it does not read, a weight is
    not finite or quantised, or the file is damaged or unsafe.
    """
    require_own_files(folder / name)
    require_plain_weights(folder / name, read_json(folder / name / "config.json"))
    options: dict[str, Any] = {
        "local_files_only": True,
        "output_loading_info": True,
        "variant": _variant(folder / name),
    }
    if cls.__module__.startswith("diffusers."):
        options |= {"torch_dtype": dtype, "low_cpu_mem_usage": find_spec("accelerate") is not None}
    else:
        options |= {_precision_option(): dtype, "trust_remote_code": False, "config": load_config(cls, folder / name)}
    with quiet():
        model, info = _read(folder / name, cls.from_pretrained, str(folder), subfolder=name, **options)
    _require_described(folder / name, model, info)
    for key, tensor in model.named_parameters():
        require_finite(folder / name, key, tensor)
    loaded = model.state_dict().keys()
    for key, tensor in (*model.named_parameters(), *model.named_buffers()):
        # Computed buffers, such as rotary frequencies, are not exact enough in half precision.
        cast = tensor.is_floating_point() and key in loaded
        # Always copy: a memory-mapped tensor would change or vanish together with its file.
        tensor.data = tensor.data.to(device, dtype if cast else None, copy=True)
    return model.eval().requires_grad_(False)


def _require_described(place: Path, model: nn.Module, info: Mapping[str, Any]) -> None:
    """Check what a library says of the keys that it loaded. Raises CheckpointError as `load_component` says."""
    faults = {
        kind: sorted(key for key in map(str, info.get(kind, ())) if not key.endswith(_OBSOLETE))
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
    }
    # Beside a missing key, one that nothing reads may be it under another name.
    complete = not faults["missing_keys"]
    outside = unread(faults["unexpected_keys"], model.state_dict().keys()) if complete else []
    faults["unexpected_keys"] = [key for key in faults["unexpected_keys"] if key not in outside]
    problems = [f"{len(keys)} {kind.replace('_', ' ')}: {listed(keys)}" for kind, keys in faults.items() if keys]
    if problems:
        raise CheckpointError(f"{place} does not hold the weights its config describes. " + "; ".join(problems))
    warn_of_unread(place, outside)


def load_part(cls: Any, folder: Path, name: str):
    """Load a component without weights, such as a tokenizer or scheduler, from folder / name.

    cls: a class with from_pretrained. Raises CheckpointError if the files are missing or damaged.
    """
    return _read(folder / name, cls.from_pretrained, str(folder / name), local_files_only=True)


def load_processor(folder: Path):
    """Load what prepares the inputs of a model of transformers. No code of the folder runs.

    Raises CheckpointError if the files are missing or damaged, or their classes are not part of transformers.
    """
    from transformers import AutoProcessor

    require_own_files(folder)

    def load():
        with settings_without_code(folder) as copy:
            return AutoProcessor.from_pretrained(str(copy), local_files_only=True, trust_remote_code=False)

    return _read(folder, load)


def load_tokenizer(folder: Path):
    """Load the tokenizer in the folder of a model of transformers. No code of the folder runs.

    Raises CheckpointError if the files are missing or damaged, or its class is not part of transformers.
    """
    from transformers import AutoTokenizer

    def load():
        with settings_without_code(folder) as copy:
            return AutoTokenizer.from_pretrained(str(copy), local_files_only=True, trust_remote_code=False)

    return _read(folder, load)


def build(folder: Path, make: Callable[[], Built]) -> Built:
    """What `make` builds by the settings in a folder. Raises CheckpointError where they do not fit."""
    return _read(folder, make)


def load_config(cls: Any, folder: Path):
    """The config in the folder of a model of transformers, without what names code. cls: the class of the model.

    Raises CheckpointError if it is missing or damaged.
    """

    def load():
        with settings_without_code(folder) as copy:
            return cls.config_class.from_pretrained(str(copy), local_files_only=True)

    return _read(folder, load)


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


def _variant(folder: Path) -> str | None:
    """The variant to read where a folder holds no weights but variants, such as "fp16"; None for plain weights."""
    found = {match["variant"] for path in folder.iterdir() if (match := _WEIGHTS.fullmatch(path.name))}
    if not found or None in found:
        return None
    return min(found, key=lambda variant: _VARIANTS.index(variant) if variant in _VARIANTS else len(_VARIANTS))


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
    except AlignerError:
        raise
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{place} holds a file that is damaged or would run code while loading. "
            "It was not loaded. Get the weights as safetensors."
        ) from error
    except Exception as error:  # with a damaged config the libraries can raise any exception
        if is_out_of_memory(error):
            raise
        if names_code(place) or "trust_remote_code" in str(error):
            raise needs_code(place) from error
        raise CheckpointError(f"{place} cannot be loaded ({type(error).__name__}): {error}") from error
