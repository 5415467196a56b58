"""The weights of a folder of transformers: one safetensors file, or several that each hold a part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..errors import CheckpointError
from .weights import WeightFile, open_weights

_WEIGHTS = re.compile(r"model(-\d+-of-(?P<parts>\d+))?\.safetensors")


@contextmanager
def open_shards(folder: Path) -> Iterator[WeightFile]:
    """Open all weights of a folder as one file.

    Raises CheckpointError where there are none, a part is missing or damaged, or two parts hold one weight.
    """
    found = {path: match for path in sorted(folder.iterdir()) if (match := _WEIGHTS.fullmatch(path.name))}
    parts = {int(match["parts"] or 1) for match in found.values()}
    if len(parts) != 1 or len(found) not in parts:
        raise CheckpointError(
            f"{folder} holds {len(found)} files of weights such as model.safetensors, not all of one model. Download "
            "it again."
        )
    with ExitStack() as opened:
        yield _together(folder, [opened.enter_context(open_weights(path)) for path in found])


def _together(folder: Path, files: list[WeightFile]) -> WeightFile:
    places = {name: file for file in files for name in file.shapes}
    if len(places) < sum(len(file.shapes) for file in files):
        raise CheckpointError(f"{folder} holds one weight in two files. Download it again.")
    shapes = {name: file.shapes[name] for name, file in places.items()}
    return WeightFile(folder, {}, shapes, lambda name: places[name].take(name))
