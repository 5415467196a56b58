"""LoRA (arXiv 2106.09685): low-rank changes to weights, merged while a model is loaded."""

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

#: The metadata key of peft's settings in safetensors files that diffusers writes.
_PEFT_METADATA = "lora_adapter_metadata"

_CHOOSE = "Choose a LoRA for Stable Diffusion 1.5, or a motion LoRA."


@dataclass(frozen=True)
class Lora:
    """A LoRA file and its strength: 1 as trained, 0 no effect, negative the opposite effect.

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
    """The change of one weight: its component and name, and the names of the LoRA's tensors in the file."""

    component: str
    weight: str
    down: str
    up: str
    mid: str | None = None
    alpha: str | None = None


class OpenLora:
    """An open LoRA file whose names and shapes fit the networks. Its matrices have not been read."""

    def __init__(self, weights: WeightFile, strength: float, networks: Mapping[str, nn.Module]):
        self.weights, self.strength = weights, strength
        self.changes = _changes(weights, _roles(weights), networks)
        self.alphas = _peft_alphas(weights)

    def merge(self, networks: Mapping[str, nn.Module]) -> None:
        """W += strength * alpha / rank * up @ down, computed in at least float32. A missing alpha equals the rank.

        Raises CheckpointError if a weight becomes NaN or infinite.
        """
        if self.strength == 0:
            return
        for change in self.changes:
            weight = networks[change.component].get_parameter(change.weight)
            down, up = self._read(change.down, weight), self._read(change.up, weight)
            mid = self._read(change.mid, weight) if change.mid else None
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

    def _read(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        """A tensor of the file on the device of a weight, in at least float32."""
        return self.weights.take(name).to(weight.device, torch.promote_types(weight.dtype, torch.float32))


@contextmanager
def open_lora(lora: Lora, networks: Mapping[str, nn.Module]) -> Iterator[OpenLora]:
    """Open a LoRA for networks, which may still be on the meta device.

    Raises CheckpointError if the file is missing, damaged, unsafe, of an unsupported kind, or made for other networks:
    each of its tensors must belong to a weight of the networks.
    """
    with open_weights(lora.path) as weights:
        yield OpenLora(weights, lora.strength, networks)


def _product(down: torch.Tensor, up: torch.Tensor, mid: torch.Tensor | None) -> torch.Tensor:
    """up @ down over channels. With `mid`, the kernel of three consecutive convolutions: down and up are 1 x 1."""
    if mid is None:
        return up.flatten(1) @ down.flatten(1)
    return torch.einsum("or,rshw,si->oihw", up.flatten(1), mid, down.flatten(1))


def _roles(weights: WeightFile) -> dict[str, tuple[str, str]]:
    """{name of a tensor: (address, role)}, see `split`. Raises CheckpointError if the file is no supported LoRA."""
    names = list(weights.shapes)
    require_kind(weights, LORA)
    if kind := unsupported_kind(names):
        raise CheckpointError(f"{weights.path} is a {kind}, which is not supported. Choose a plain LoRA.")
    if is_for_sdxl(names):
        raise CheckpointError(f"{weights.path} is a LoRA for SDXL. {_CHOOSE}")
    roles = {name: role for name in names if (role := split(name)) is not None}
    if others := [name for name in names if name not in roles]:
        what = "holds tensors that are no part of a LoRA" if roles else "is not a LoRA"
        raise CheckpointError(f"{weights.path} {what}: {listed(others)}. {_CHOOSE}")
    return roles


def _changes(
    weights: WeightFile, roles: Mapping[str, tuple[str, str]], networks: Mapping[str, nn.Module]
) -> list[Change]:
    """The changes of a LoRA, one per weight.

    roles: see `_roles`. Raises CheckpointError if a tensor belongs to no weight, a matrix is missing or duplicated,
    or shapes do not fit.
    """
    known = addresses(networks)
    parts: dict[tuple[str, str], dict[str, str]] = {}
    unknown, faulty = [], []
    for name, (address, role) in roles.items():
        if address not in known:
            unknown.append(name)
        elif role in (matrices := parts.setdefault(known[address], {})):
            faulty.append(f"{name} besides {matrices[role]}")
        else:
            matrices[role] = name
    if unknown:
        raise CheckpointError(_for_another_model(weights.path, unknown, known))
    for (component, weight), matrices in parts.items():
        shape = tuple(networks[component].get_parameter(weight).shape)
        if not {"down", "up"} <= matrices.keys():
            faulty.append(f"{', '.join(matrices.values())} without the other matrix")
        elif not _fits(shape, {role: weights.shapes[name] for role, name in matrices.items()}):
            faulty.append(f"{matrices['down']} {weights.shapes[matrices['down']]} for a weight of shape {shape}")
    if faulty:
        raise CheckpointError(f"{weights.path} is damaged or made for another model: {listed(faulty)}. {_CHOOSE}")
    return [Change(component, weight, **matrices) for (component, weight), matrices in parts.items()]


def _for_another_model(path: Path, names: list[str], known: Mapping[str, object]) -> str:
    """The message about tensors that belong to no weight of the networks."""
    if all(is_motion(name) for name in names) and not any(is_motion(address) for address in known):
        return f"{path} is a motion LoRA, but there is no motion module to change. Choose a motion module too."
    return f"{path} is made for another model, which has layers that are missing here: {listed(names)}. {_CHOOSE}"


def _fits(weight: tuple[int, ...], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether the matrices multiply to the shape of the weight. shapes: by role."""
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
    """{component: alpha} from peft's settings in the metadata; peft stores no alpha among the weights.

    Raises CheckpointError if the metadata is damaged, or has settings that change the meaning of the matrices.
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
