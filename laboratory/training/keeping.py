"""Tensors that take minutes to make, kept in a file and made anew when the function that makes them has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tqdm import tqdm

from aligner.files.atomic import written_whole

Tensors = dict[str, torch.Tensor]

#: Rows that are made together.
_AT_ONCE = 8
#: The rounding of half precision.
_ROUNDING = 1e-3


@torch.no_grad()
def kept(path: Path, count: int, make: Callable[[torch.Tensor], Tensors]) -> Tensors:
    """The tensors that `make` returns for the rows 0..count - 1, mapped from a file.

    make: row numbers -> tensors with one row each. It is called for eight rows at a time. An existing file is used if
    it has as many rows and its first eight equal what `make` returns now, up to rounding.
    """
    batches = torch.arange(count).split(_AT_ONCE)
    if not (path.exists() and _still_right(path, count, make(batches[0]))):
        made = [make(rows) for rows in tqdm(batches, desc=path.stem, mininterval=10)]
        with written_whole(path) as partial:
            torch.save({name: torch.cat([part[name] for part in made]) for name in made[0]}, partial)
    return torch.load(path, mmap=True, weights_only=True)


def _still_right(path: Path, count: int, first: Tensors) -> bool:
    # A separate function, so that the mapping ends with it: Windows cannot replace a file that is mapped.
    found = torch.load(path, mmap=True, weights_only=True)
    return found.keys() == first.keys() and all(
        found[name].shape == (count, *tensor.shape[1:])
        and torch.allclose(found[name][:_AT_ONCE].float(), tensor.float(), rtol=_ROUNDING, atol=_ROUNDING)
        for name, tensor in first.items()
    )
