"""The modules of MM-Diffusion's authors (github.com/researchmm/MM-Diffusion), without what they need for training."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def reference_module(name: str) -> Any:
    """A module of their package, whose folder is in sys.path. What it needs for logs and many machines stays empty."""
    for missing in ("mpi4py", "blobfile", "mm_diffusion.logger", "mm_diffusion.dist_util"):
        module = sys.modules.setdefault(missing, ModuleType(missing))
        module.__dict__.setdefault("MPI", None)
    package = importlib.import_module("mm_diffusion")
    package.__dict__.update(logger=sys.modules["mm_diffusion.logger"], dist_util=sys.modules["mm_diffusion.dist_util"])
    return importlib.import_module(f"mm_diffusion.{name}")
