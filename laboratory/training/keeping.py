"""Tensors that take minutes to make, kept in a file, and made anew when what makes them has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tqdm import tqdm

from aligner.files.atomic import written_whole

Tensors = dict[str, torch.Tensor]

_AT_ONCE = 8
#: Half precision's own.
_ROUNDING = 1e-3


@torch.no_grad()
def kept(path: Path, count: int, make: Callable[[torch.Tensor], Tensors]) -> Tensors:
    """What `make` gives for the rows 0..count - 1, eight at a time, row by row, mapped from a file.

    A file is used if it has as many rows and its first ones are what `make` gives for them now, but for rounding.
    """
    batches = torch.arange(count).split(_AT_ONCE)
    if not (path.exists() and _still_right(path, count, make(batches[0]))):
        made = [make(rows) for rows in tqdm(batches, desc=path.stem, mininterval=10)]
        with written_whole(path) as partial:
            torch.save({name: torch.cat([part[name] for part in made]) for name in made[0]}, partial)
    return torch.load(path, mmap=True, weights_only=True)


def _still_right(path: Path, count: int, first: Tensors) -> bool:
    # A function of its own, because Windows does not let a file be replaced as long as it is mapped.
    found = torch.load(path, mmap=True, weights_only=True)
    return found.keys() == first.keys() and all(
        found[name].shape == (count, *tensor.shape[1:])
        and torch.allclose(found[name][:_AT_ONCE].float(), tensor.float(), rtol=_ROUNDING, atol=_ROUNDING)
        for name, tensor in first.items()
    )
