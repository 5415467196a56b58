"""The weights that only the laboratory needs, and a fingerprint of all weights that measurements depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from aligner.binders.imagebind import ImageBind, load_imagebind
from aligner.demo import family

#: The second binder. It measures results. Guidance never uses it.
SECOND_IMAGEBIND = Path(__file__).parent / "models" / "second-imagebind.safetensors"


def load_second_imagebind() -> ImageBind:
    """A binder of another size, trained from another seed on other clips than the one that guides."""
    return load_imagebind(SECOND_IMAGEBIND)


def fingerprint() -> str:
    """A digest of the demo models' weights and of the second binder's: 16 hexadecimal digits.

    Recorded measurements hold it, so that those of other weights are recognised. MM-Diffusion has measurements of its
    own, see `fingerprint_of`.
    """
    files = {path.relative_to(family.WEIGHTS).as_posix(): path for path in family.WEIGHTS.rglob("*.safetensors")}
    files.pop(family.MM_DIFFUSION.name, None)
    files[SECOND_IMAGEBIND.name] = SECOND_IMAGEBIND
    return fingerprint_of(files)


def fingerprint_of(files: Mapping[str, Path]) -> str:
    """A digest of files by name: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(files, key=Path):
        digest.update(name.encode())
        digest.update(files[name].read_bytes())
    return digest.hexdigest()[:16]
