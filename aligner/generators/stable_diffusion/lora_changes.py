"""What a LoRA file changes in the networks: each change with its place and parts, checked before anything is merged."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from ...errors import AlignerWarning, CheckpointError, listed
from ...files.strict_loading import Shapes, warn_of_unread
from ...files.weights import WeightFile
from .adapters import changed, kinds
from .kinds import LORA, require_kind
from .lora_names import (
    Place,
    bundled_embedding,
    is_motion,
    is_of_second_text_encoder,
    places,
    split,
    unsupported_kind,
)

_CHOOSE = "Choose a LoRA for Stable Diffusion 1.5, or a motion LoRA."


@dataclass(frozen=True)
class Change:
    """The change of a weight or bias. names: of its parts in the file, by part as in `lora_names.split`."""

    component: str
    parameter: str
    names: Mapping[str, str]


@dataclass
class _Contents:
    """The tensors of a file: parts by place, addresses without a place by name, and what is no part of a LoRA."""

    parts: dict[Place, dict[str, str]] = field(default_factory=dict)
    homeless: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


def changes(weights: WeightFile, networks: Mapping[str, nn.Module]) -> list[Change]:
    """The changes that a LoRA file makes to networks, which may be on the meta device.

    What no network reads is left aside with a warning that names it, as in ComfyUI. Raises CheckpointError if the file
    is of an unsupported kind or changes nothing here, if its shapes are those of another model, as of SDXL, or if a
    part of a change is missing.
    """
    require_kind(weights, LORA)
    if kind := unsupported_kind(list(weights.shapes)):
        raise CheckpointError(f"{weights.path} is of the kind {kind}, which is not supported. Choose a plain LoRA.")
    known = places(networks)
    contents = _contents(weights.shapes, known)
    _require_use(weights, contents, has_motion=any(map(is_motion, known)))
    found = [Change(*place, names) for place, names in contents.parts.items() if kinds(names)]
    faults = [*contents.twice, *(fault for change in found if (fault := _fault(change, weights.shapes, networks)))]
    if faults:
        raise CheckpointError(
            f"{weights.path} is damaged or made for another model, for example SDXL: {listed(faults)}. {_CHOOSE}"
        )
    _warn(weights.path, contents)
    return found


def _contents(names: Iterable[str], known: Mapping[str, Place]) -> _Contents:
    contents, parameters = _Contents(), set(known.values())
    for name in names:
        meaning = split(name)
        if meaning is None:
            contents.others.append(name)
            continue
        address, part, leaf = meaning
        component, parameter = known.get(address, ("", ""))
        if leaf == "bias":
            parameter = parameter.removesuffix("weight") + leaf
        if (component, parameter) not in parameters:
            contents.homeless[name] = address
        elif part in (parts := contents.parts.setdefault((component, parameter), {})):
            contents.twice.append(f"{name} besides {parts[part]}")
        else:
            parts[part] = name
    return contents


def _require_use(weights: WeightFile, contents: _Contents, has_motion: bool) -> None:
    """Raise CheckpointError for a file that changes nothing here, or belongs to networks that are not here."""
    addresses = contents.homeless.values()
    if any(map(is_of_second_text_encoder, addresses)):
        raise CheckpointError(f"{weights.path} is a LoRA for SDXL: it changes a second text encoder. {_CHOOSE}")
    if any(map(is_motion, addresses)) and not has_motion:
        raise CheckpointError(
            f"{weights.path} is a motion LoRA, but there is no motion module to change. Choose a motion module too."
        )
    missing = [name for name, address in contents.homeless.items() if is_motion(address) or not contents.parts]
    if missing:
        raise CheckpointError(
            f"{weights.path} is made for another model, which has layers that are missing here: {listed(missing)}. "
            f"{_CHOOSE}"
        )
    if not any(map(kinds, contents.parts.values())):
        raise CheckpointError(f"{weights.path} is not a LoRA: {listed(weights.shapes)}. {_CHOOSE}")


def _fault(change: Change, shapes: Shapes, networks: Mapping[str, nn.Module]) -> str | None:
    """What is wrong with a change, found out by shapes alone; None if it can be made."""
    weight = networks[change.component].get_parameter(change.parameter).to("meta", torch.float32)
    found = {part: shapes[name] for part, name in change.names.items()}
    if len(kinds(found)) > 1:
        return f"{listed(change.names.values())} for one weight"
    try:
        if any(0 in shape for shape in found.values()):
            raise ValueError("a part without elements")
        parts = {part: torch.empty(shape, device="meta") for part, shape in found.items()}
        if parts.pop("alpha", torch.ones(1)).numel() != 1:
            raise ValueError("an alpha of several numbers")
        changed(weight, parts, strength=1.0, alpha=1.0)
    except KeyError as missing:
        return f"{listed(change.names.values())} without {missing}"
    except (ValueError, RuntimeError, IndexError):
        spelled = (f"{change.names[part]} {shape}" for part, shape in found.items())
        return f"{listed(spelled)} for a weight of shape {tuple(weight.shape)}"
    return None


def _warn(path: Path, contents: _Contents) -> None:
    words = {name: bundled_embedding(name) for name in contents.others}
    if bundled := {word for word in words.values() if word}:
        warnings.warn(
            f"{path} brings textual inversions, which are left aside: {listed(bundled)}.", AlignerWarning, stacklevel=2
        )
    warn_of_unread(path, [*contents.homeless, *(name for name, word in words.items() if not word)])
