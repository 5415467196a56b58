"""The gate of latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..errors import AlignerError
from .naming import named
from .pictures import HIGHEST, LOWEST
from .tensors import floats, require_within

SAMPLES, MASK = "samples", "noise_mask"
#: The noise of a video model reaches some thousands. Beyond this a latent overflows half precision.
LARGEST = 60_000.0
_OTHERWISE = "Check the node that made it."


def latent(value: object, what: str) -> dict[str, Any]:
    """ComfyUI's LATENT, {samples, noise_mask, ...}, with finite floats in both.

    what: its name for messages. Latents of several streams, which ComfyUI nests, pass as they are. Raises AlignerError
    for anything else.
    """
    if not isinstance(value, Mapping) or SAMPLES not in value:
        found = f"a mapping without {SAMPLES}" if isinstance(value, Mapping) else named(value)
        raise AlignerError(f"{what} must be a LATENT, such as a sampler gives, not {found}.")
    passed = {**value, SAMPLES: _passed(value[SAMPLES], what, -LARGEST, LARGEST)}
    if value.get(MASK) is not None:
        if _is_nested(value[MASK]) and not _is_nested(value[SAMPLES]):
            raise AlignerError(f"The mask of {what} is for several streams, but the latent is one. {_OTHERWISE}")
        passed[MASK] = _passed(value[MASK], f"The mask of {what}", LOWEST, HIGHEST)
    return passed


def _passed(values: Any, what: str, low: float, high: float) -> Any:
    if _is_nested(values):
        for part in values.unbind():
            _require(part, what, low, high)
        return values
    return _require(values, what, low, high)


def _is_nested(values: object) -> bool:
    return bool(getattr(values, "is_nested", False)) and hasattr(values, "unbind")


def _require(values: object, what: str, low: float, high: float) -> torch.Tensor:
    tensor = floats(values, what)
    if tensor.ndim < 2:
        raise AlignerError(f"{what} must have 2 dimensions or more, but has shape {tuple(tensor.shape)}. {_OTHERWISE}")
    require_within(tensor, low, high, what, _OTHERWISE)
    return tensor
