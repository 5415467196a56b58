"""The gate of tensors."""

from __future__ import annotations

import numpy
import torch

from ..errors import AlignerError
from ..tensors.precision import full_precision
from .naming import named


def real_tensor(value: object, what: str) -> torch.Tensor:
    """A tensor or an array as a tensor of real numbers, without a graph. 8-bit floats become float32.

    what: its name for messages. Raises AlignerError for anything else: complex numbers, sparse, nested and quantised
    tensors, and tensors without values (of the meta device).
    """
    if isinstance(value, numpy.ndarray):
        value = _of_array(value, what)
    if not isinstance(value, torch.Tensor):
        raise AlignerError(f"{what} must be a tensor, not {named(value)}.")
    if value.is_meta:
        raise AlignerError(f"{what} has a shape but no values: it is on PyTorch's meta device. Load it.")
    if value.is_nested or value.layout != torch.strided or value.is_quantized or value.is_complex():
        kind = "nested" if value.is_nested else f"{value.layout} of {value.dtype}".replace("torch.", "")
        raise AlignerError(f"{what} must be a plain tensor of real numbers, but it is {kind}. Convert it first.")
    value = value.detach()
    if value.is_floating_point() and value.dtype.itemsize == 1:
        return _of_bytes(value, what)
    return value


def floats(value: object, what: str) -> torch.Tensor:
    """The same for floats that are not empty, as float32 or float64."""
    tensor = real_tensor(value, what)
    if not tensor.is_floating_point() or not tensor.numel():
        raise AlignerError(
            f"{what} must hold floats and not be empty, but is {tensor.dtype} of shape {tuple(tensor.shape)}."
        )
    return full_precision(tensor)


def require_within(tensor: torch.Tensor, low: float, high: float, what: str, otherwise: str) -> None:
    """Raise AlignerError unless all values of a tensor, which is not empty, lie in low..high. NaN lies nowhere.

    otherwise: what to do about it, a sentence.
    """
    least, most = (float(value) for value in tensor.aminmax())  # much faster than isfinite; NaN comes through
    if low <= least and most <= high:
        return
    if least != least:
        raise AlignerError(f"{what} holds NaN, which is no number. {otherwise}")
    raise AlignerError(
        f"{what} holds values from {least:g} to {most:g}, but {low:g} to {high:g} is allowed. {otherwise}"
    )


def _of_array(array: numpy.ndarray, what: str) -> torch.Tensor:
    try:
        # A copy in this machine's byte order: torch takes neither views that run backwards nor other orders.
        return torch.from_numpy(numpy.array(array, dtype=array.dtype.newbyteorder("="), order="C"))
    except TypeError as error:
        raise AlignerError(f"{what} is an array of {array.dtype}, which are no numbers that a tensor holds.") from error


def _of_bytes(value: torch.Tensor, what: str) -> torch.Tensor:
    try:
        return value.float()
    except NotImplementedError as error:
        raise AlignerError(f"{what} holds {value.dtype}, which cannot be read as numbers. Convert it first.") from error
