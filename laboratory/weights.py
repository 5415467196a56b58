"""Weights that only the laboratory needs, and a fingerprint of all that a measurement depends on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aligner.binders.imagebind import ImageBind, load_imagebind
from aligner.demo.family import WEIGHTS

#: A binder that only ever judges: no generation is steered by it.
SECOND_IMAGEBIND = Path(__file__).parent / "models" / "second-imagebind.safetensors"


def load_second_imagebind() -> ImageBind:
    """A binder of another size, seed and clips, to measure results that the first one steered."""
    return load_imagebind(SECOND_IMAGEBIND)


def fingerprint() -> str:
    """A digest of the demo's weights and of the second binder's, by which recorded measurements know their models."""
    files = {path.relative_to(WEIGHTS).as_posix(): path for path in WEIGHTS.rglob("*.safetensors")}
    files[SECOND_IMAGEBIND.name] = SECOND_IMAGEBIND
    digest = hashlib.sha256()
    for name in sorted(files, key=Path):
        digest.update(name.encode())
        digest.update(files[name].read_bytes())
    return digest.hexdigest()[:16]
