"""LoRA (arXiv 2106.09685): low-rank changes to weights, merged once while a model is loaded."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ...errors import AlignerError, CheckpointError, listed
from ...files.weights import WeightFile, open_weights
from ...tensors.precision import full_precision
from .kinds import LORA, require_kind
from .lora_names import addresses, is_for_sdxl, is_motion, split, unsupported_kind

#: Where peft's settings stand in a safetensors file that diffusers wrote.
_PEFT_METADATA = "lora_adapter_metadata"

_CHOOSE = "Choose a LoRA for Stable Diffusion 1.5, or a motion LoRA."


@dataclass(frozen=True)
class Lora:
    """A LoRA file and how strongly it acts: 1 as it was trained, 0 not at all, below 0 the other way round.

    Raises AlignerError if the strength is not finite.
    """

    path: Path
    strength: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "path", Path(self.path))
        if not math.isfinite(self.strength):
            raise AlignerError(f"The strength of {self.path} is {self.strength}. Give a finite number, usually 0 to 1.")


@dataclass(frozen=True)
class Change:
    """What a LoRA does to one weight: the weight's component and name, and the names of its matrices in the file."""

    component: str
    weight: str
    down: str
    up: str
    mid: str | None = None
    alpha: str | None = None


class OpenLora:
    """An open LoRA file that has been checked against the networks, before any of its matrices is read."""

    def __init__(self, weights: WeightFile, strength: float, networks: Mapping[str, nn.Module]):
        _require_supported(weights)
        self.weights, self.strength = weights, strength
        self.changes = _changes(weights, networks)
        self.alphas = _peft_alphas(weights)

    def merge(self, networks: Mapping[str, nn.Module]) -> None:
        """W += strength * alpha / rank * up @ down, computed in float32. Without alpha it counts as the rank."""
        if self.strength == 0:
            return
        for change in self.changes:
            weight = networks[change.component].get_parameter(change.weight)
            down, up, mid = (self._read(name, weight) for name in (change.down, change.up, change.mid))
            alpha = self.weights.take(change.alpha).item() if change.alpha else self.alphas.get(change.component)
            scale = self.strength * (1.0 if alpha is None else alpha / len(down))
            changed = full_precision(weight) + scale * _product(down, up, mid).reshape(weight.shape)
            with torch.no_grad():
                weight.copy_(changed)
            if not weight.isfinite().all():
                raise CheckpointError(
                    f"{self.weights.path} changes {change.weight} to NaN or infinite values. "
                    "Download it again, or lower its strength."
                )

    def _read(self, name: str | None, weight: torch.Tensor) -> torch.Tensor | None:
        if name is None:
            return None
        return self.weights.take(name).to(weight.device, torch.promote_types(weight.dtype, torch.float32))


@contextmanager
def open_lora(lora: Lora, networks: Mapping[str, nn.Module]) -> Iterator[OpenLora]:
    """Open a LoRA for networks, which may be on the meta device still.

    Raises CheckpointError if the file is missing, damaged or unsafe, of a kind that is not supported, or made for other
    networks: every one of its tensors must have its place.
    """
    with open_weights(lora.path) as weights:
        yield OpenLora(weights, lora.strength, networks)


def _product(down: torch.Tensor, up: torch.Tensor, mid: torch.Tensor | None) -> torch.Tensor:
    """up @ down over channels; with `mid`, a convolution between two of size 1 x 1, the kernel of all three."""
    if mid is None:
        return up.flatten(1) @ down.flatten(1)
    return torch.einsum("or,rshw,si->oihw", up.flatten(1), mid, down.flatten(1))


def _require_supported(weights: WeightFile) -> None:
    names = list(weights.shapes)
    require_kind(weights, LORA)
    if kind := unsupported_kind(names):
        raise CheckpointError(f"{weights.path} is a {kind}, which is not supported. Choose a plain LoRA.")
    if is_for_sdxl(names):
        raise CheckpointError(f"{weights.path} is a LoRA for SDXL. {_CHOOSE}")
    if strangers := [name for name in names if split(name) is None]:
        what = "holds what is no part of a LoRA" if len(strangers) < len(names) else "is not a LoRA"
        raise CheckpointError(f"{weights.path} {what}: {listed(strangers)}. {_CHOOSE}")


def _changes(weights: WeightFile, networks: Mapping[str, nn.Module]) -> list[Change]:
    known = addresses(networks)
    parts: dict[tuple[str, str], dict[str, str]] = {}
    homeless, faulty = [], []
    for name in weights.shapes:
        address, role = split(name)
        if address not in known:
            homeless.append(name)
        elif role in (matrices := parts.setdefault(known[address], {})):
            faulty.append(f"{name} besides {matrices[role]}")
        else:
            matrices[role] = name
    if homeless:
        raise CheckpointError(_without_place(weights.path, homeless, known))
    for (component, weight), matrices in parts.items():
        shape = tuple(networks[component].get_parameter(weight).shape)
        if not {"down", "up"} <= matrices.keys():
            faulty.append(f"{', '.join(matrices.values())} without the other matrix")
        elif not _fits(shape, {role: weights.shapes[name] for role, name in matrices.items()}):
            faulty.append(f"{matrices['down']} {weights.shapes[matrices['down']]} for a weight of shape {shape}")
    if faulty:
        raise CheckpointError(f"{weights.path} is damaged or made for another model: {listed(faulty)}. {_CHOOSE}")
    return [Change(*place, **matrices) for place, matrices in parts.items()]


def _without_place(path: Path, names: list[str], known: Mapping[str, object]) -> str:
    if all(is_motion(name) for name in names) and not any(is_motion(address) for address in known):
        return f"{path} is a motion LoRA, but there is no motion module to change. Choose a motion module too."
    return f"{path} is made for another model, which has layers that are missing here: {listed(names)}. {_CHOOSE}"


def _fits(weight: tuple[int, ...], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether the product of the matrices has the shape of the weight."""
    down, up = shapes["down"], shapes["up"]
    if min(len(down), len(up)) < 2 or down[0] == 0 or math.prod(up[2:]) != 1:
        return False
    if math.prod(shapes.get("alpha", ())) != 1:
        return False
    if "mid" not in shapes:
        return up[1] == down[0] and (up[0], math.prod(down[1:])) == (weight[0], math.prod(weight[1:]))
    mid = shapes["mid"]
    return math.prod(down[2:]) == 1 and mid[:2] == (up[1], down[0]) and (up[0], down[1], *mid[2:]) == weight


def _peft_alphas(weights: WeightFile) -> dict[str, float]:
    """{component: alpha} as peft keeps it, beside the weights instead of among them.

    Raises CheckpointError for settings under which the matrices mean something else.
    """
    try:
        settings = json.loads(weights.metadata.get(_PEFT_METADATA, "{}"))
        alphas = {
            name.rpartition(".")[0] or "unet": float(value)
            for name, value in settings.items()
            if name.split(".")[-1] == "lora_alpha"
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{weights.path}: its metadata are damaged ({error}). Download it again.") from error
    special = [
        name
        for name, value in settings.items()
        if name.split(".")[-1] in ("alpha_pattern", "use_rslora", "use_dora") and value
    ]
    if special:
        raise CheckpointError(
            f"{weights.path} was trained with {listed(special)}, which is not supported. Choose a plain LoRA."
        )
    return alphas
