"""Strict loading of a weight file into an empty model: nothing is missing, and there is no second copy in memory."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import torch
from torch import nn

from ..errors import AlignerWarning, CheckpointError, listed
from .weights import WeightFile

#: The number of a layer in the name of a tensor.
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")

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


def without_unread(weights: WeightFile, wanted: Collection[str]) -> WeightFile:
    """The same weights without those that no network reads, see `unread`. A warning names them.

    Where a wanted tensor is missing, all stay, because one of them may be it under another name.
    """
    complete = set(wanted) <= weights.shapes.keys()
    extra = set(unread(weights.shapes, wanted)) if complete else set()
    warn_of_unread(weights.path, sorted(extra))
    return weights.renamed(lambda name: None if name in extra else name)


def unread(names: Iterable[str], wanted: Collection[str]) -> list[str]:
    """The names of tensors that lie outside all layers of the networks. ComfyUI leaves them aside too.

    A tensor inside a layer is none of them, wanted or not. It may change what the layer's weight means, as the scale of
    a quantised weight does. Nor is a tensor of one more layer of a kind that a network has: it is of another size then.
    wanted: the tensors of the networks.
    """
    layers = {*wanted, *(name.rpartition(".")[0] for name in wanted)}
    kinds = {_NUMBER.sub("", name) for name in wanted}
    extra = [name for name in names if name not in wanted and not _is_inside(name, layers)]
    return [name for name in extra if _NUMBER.sub("", name) not in kinds]


def warn_of_unread(path: Path, names: Iterable[str]) -> None:
    """Warn of tensors that are left aside, if there are any."""
    if names := list(names):
        warnings.warn(
            f"{path} holds tensors that no network reads. They are left aside: {listed(names)}.",
            AlignerWarning,
            stacklevel=3,
        )


def require_finite(path: Path, name: str, tensor: torch.Tensor) -> None:
    """Raise CheckpointError if a weight is NaN or infinite somewhere."""
    # Both extremes are NaN where any value is. torch finds none in 8 bits.
    comparable = tensor.float() if tensor.dtype.itemsize == 1 else tensor
    if tensor.numel() and not all(extreme.isfinite() for extreme in comparable.aminmax()):
        raise CheckpointError(f"{path}: {name} holds NaN or infinite values. Download it again.")


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
    stored. Raises CheckpointError for tensors that are not floating-point, NaN or infinite.
    """
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    for name, stored in names.items():
        tensor = weights.take(stored)
        if not tensor.is_floating_point():
            raise CheckpointError(
                f"{weights.path}: {stored} holds {tensor.dtype}, not floating-point weights. "
                "Choose a file that is not quantised."
            )
        require_finite(weights.path, stored, tensor)
        on_tensor(name, tensor)
        # Always copy: a memory-mapped tensor would change or vanish together with its file.
        _assign(model, name, tensor.reshape(shapes[name]).to(device=device, dtype=dtype, copy=True))


def _is_inside(name: str, layers: Collection[str]) -> bool:
    while name := name.rpartition(".")[0]:
        if name in layers:
            return True
    return False


def _assign(model: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Replace the parameter (with a frozen one) or buffer of a name, without copying."""
    path, _, leaf = name.rpartition(".")
    owner = model.get_submodule(path)
    is_buffer = any(leaf == buffer for buffer, _ in owner.named_buffers(recurse=False))
    setattr(owner, leaf, tensor if is_buffer else nn.Parameter(tensor, requires_grad=False))
