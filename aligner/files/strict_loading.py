"""Weights from a file into an empty model: nothing missing, nothing left over, and no second copy in memory."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from ..errors import CheckpointError, listed
from .weights import WeightFile

Shapes = Mapping[str, tuple[int, ...]]


def require_same(weights: WeightFile, wanted: Shapes, *, kind: str, parts: str) -> None:
    """Check that a file holds exactly the wanted tensors.

    kind: what such a file is called, "an ImageBind checkpoint". parts: what its tensors make up, "ImageBind towers".
    Raises CheckpointError that lists what is missing, unexpected or of another shape.
    """
    found = weights.shapes
    if not found.keys() & wanted.keys():
        raise CheckpointError(f"{weights.path} is not {kind}. It holds: {listed(found)}.")
    faults = {
        "missing": sorted(wanted.keys() - found.keys()),
        "unexpected": sorted(found.keys() - wanted.keys()),
        "of another shape": [
            f"{name} {found[name]} instead of {shape}"
            for name, shape in wanted.items()
            if name in found and found[name] != shape
        ],
    }
    if any(faults.values()):
        spelled = "; ".join(f"{fault}: {listed(names)}" for fault, names in faults.items() if names)
        raise CheckpointError(f"{weights.path} does not hold the expected {parts}. {spelled}.")


def fill(
    model: nn.Module, names: Mapping[str, str], weights: WeightFile, *, dtype: torch.dtype, device: torch.device | str
) -> None:
    """Put weights into a model, cast and moved one by one.

    model: may be on the meta device. names: of its parameters and buffers, each with its name in the file; a shape may
    differ by axes of length one. Raises CheckpointError for tensors that are not floating-point.
    """
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    for name, stored in names.items():
        tensor = weights.take(stored)
        if not tensor.is_floating_point():
            raise CheckpointError(
                f"{weights.path}: {stored} holds {tensor.dtype}, not floating-point weights. "
                "Choose a file that is not quantised."
            )
        # Always a copy: a tensor that stays mapped would change or vanish together with the file.
        _assign(model, name, tensor.reshape(shapes[name]).to(device=device, dtype=dtype, copy=True))


def _assign(model: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Replace the parameter (by a frozen one) or buffer of that name, without a copy."""
    path, _, leaf = name.rpartition(".")
    owner = model.get_submodule(path)
    is_buffer = any(leaf == buffer for buffer, _ in owner.named_buffers(recurse=False))
    setattr(owner, leaf, tensor if is_buffer else nn.Parameter(tensor, requires_grad=False))
