"""LoRA and its relatives: changes to weights, merged while a model is loaded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ...errors import AlignerError, CheckpointError, listed
from ...files.json_objects import json_object
from ...files.weights import WeightFile, open_weights
from ...tensors.precision import full_precision
from .adapters import changed
from .lora_changes import changes

#: The metadata key of peft's settings in safetensors files that diffusers writes.
_PEFT_METADATA = "lora_adapter_metadata"


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


class OpenLora:
    """An open LoRA file whose names and shapes fit the networks. Its matrices have not been read."""

    def __init__(self, weights: WeightFile, strength: float, networks: Mapping[str, nn.Module]):
        self.weights, self.strength = weights, strength
        self.changes = changes(weights, networks)
        self.alphas = _peft_alphas(weights)

    def merge(self, networks: Mapping[str, nn.Module]) -> None:
        """Change the weights as `adapters.changed` says, in at least float32. A missing alpha equals the rank.

        Raises CheckpointError if a weight becomes NaN or infinite.
        """
        if self.strength == 0:
            return
        for change in self.changes:
            weight = networks[change.component].get_parameter(change.parameter)
            precise = full_precision(weight)
            parts = {part: self._part(part, name).to(precise) for part, name in change.names.items()}
            alpha = parts.pop("alpha").item() if "alpha" in parts else self.alphas.get(change.component)
            with torch.no_grad():
                weight.copy_(changed(precise, parts, self.strength, alpha))
            if not weight.isfinite().all():
                raise CheckpointError(
                    f"{self.weights.path} changes {change.parameter} to NaN or infinite values. "
                    "Download it again, or lower its strength."
                )

    def _part(self, part: str, name: str) -> torch.Tensor:
        found = self.weights.take(name)
        if not found.is_floating_point() and (part != "alpha" or found.is_complex()):
            raise CheckpointError(
                f"{self.weights.path} holds {found.dtype} in {name}. Choose a LoRA in fp32, bf16 or fp16."
            )
        return found


@contextmanager
def open_lora(lora: Lora, networks: Mapping[str, nn.Module]) -> Iterator[OpenLora]:
    """Open a LoRA for networks, which may still be on the meta device.

    Raises CheckpointError if the file is missing, damaged, unsafe, of an unsupported kind, or made for other networks.
    """
    with open_weights(lora.path) as weights:
        yield OpenLora(weights, lora.strength, networks)


def _peft_alphas(weights: WeightFile) -> dict[str, float]:
    """{component: alpha} from peft's settings in the metadata; peft stores no alpha among the weights.

    Raises CheckpointError if the metadata is damaged, or has settings that change the meaning of the matrices.
    """
    try:
        settings = json_object(weights.metadata.get(_PEFT_METADATA, "{}"))
        alphas = {
            name.rpartition(".")[0] or "unet": float(value)
            for name, value in settings.items()
            if name.split(".")[-1] == "lora_alpha"
        }
    except (ValueError, TypeError, OverflowError) as error:
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
