"""Strict loading of a weight file into an empty model: no missing or extra tensors, no second copy in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from ..errors import CheckpointError, listed
from .weights import WeightFile

Shapes = Mapping[str, tuple[int, ...]]


def require_same(weights: WeightFile, wanted: Shapes, *, kind: str, parts: str) -> None:
    """Check that a file holds exactly the wanted tensors.

    wanted: {name: shape}. kind: the name of such a file in messages, e.g. "an ImageBind checkpoint". parts: the name
    of its tensors in messages, e.g. "ImageBind towers".
    Raises CheckpointError that lists the missing and unexpected tensors and those of another shape.
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
    model: nn.Module,
    names: Mapping[str, str],
    weights: WeightFile,
    *,
    dtype: torch.dtype,
    device: torch.device | str,
    on_tensor: Callable[[str, torch.Tensor], None] = lambda name, tensor: None,
) -> None:
    """Load weights into a model, casting and moving one tensor at a time.

    model: may be on the meta device. names: {name of a parameter or buffer: its name in the file}; stored shapes may
    differ from the model's by axes of length one. on_tensor: called with each name in the model and the tensor as
    stored. Raises CheckpointError for tensors that are not floating-point.
    """
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    for name, stored in names.items():
        tensor = weights.take(stored)
        if not tensor.is_floating_point():
            raise CheckpointError(
                f"{weights.path}: {stored} holds {tensor.dtype}, not floating-point weights. "
                "Choose a file that is not quantised."
            )
        on_tensor(name, tensor)
        # Always copy: a memory-mapped tensor would change or vanish together with its file.
        _assign(model, name, tensor.reshape(shapes[name]).to(device=device, dtype=dtype, copy=True))


def _assign(model: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Replace the parameter (with a frozen one) or buffer of a name, without copying."""
    path, _, leaf = name.rpartition(".")
    owner = model.get_submodule(path)
    is_buffer = any(leaf == buffer for buffer, _ in owner.named_buffers(recurse=False))
    setattr(owner, leaf, tensor if is_buffer else nn.Parameter(tensor, requires_grad=False))
