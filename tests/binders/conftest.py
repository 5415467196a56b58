"""A small ImageBind, and the reference implementation with the same weights."""

from __future__ import annotations

import importlib.util
import sys
import types
from types import SimpleNamespace

import pytest
import torch

from aligner.binders.imagebind import ImageBindConfig, TowerConfig
from aligner.binders.imagebind.official_names import official_state_dict
from laboratory.random_imagebind import random_imagebind


@pytest.fixture(scope="session")
def small_config():
    # Three different widths, so that a mix-up between towers cannot pass.
    return ImageBindConfig(
        vision=TowerConfig(width=48, blocks=2, heads=4),
        text=TowerConfig(width=32, blocks=3, heads=2),
        audio=TowerConfig(width=40, blocks=3, heads=5),
        embed_dim=24,
    )


@pytest.fixture(scope="session")
def model(small_config):
    return random_imagebind(small_config, seed=0)


@pytest.fixture(scope="session")
def reference():
    """The modules of imagebind-packaged: `model` and `preprocessors`, skipped without.

    Installed but broken it is an error: these comparisons must not fall silent because some package is missing.
    """
    if importlib.util.find_spec("imagebind") is None:
        pytest.skip("no reference: pip install --no-deps -r tests/requirements-no-deps.txt")
    # The package imports its file reader, which needs pytorchvideo and is of no use here.
    sys.modules.setdefault("imagebind.data", types.ModuleType("imagebind.data"))
    return SimpleNamespace(
        model=importlib.import_module("imagebind.models.imagebind_model"),
        preprocessors=importlib.import_module("imagebind.models.multimodal_preprocessors"),
        package=importlib.import_module("imagebind"),
    )


@pytest.fixture(scope="session")
def reference_model(reference, small_config, model):
    """The reference with the weights of `model`: {modality: input} -> {modality: (B, D)}."""
    towers = {
        f"{name}_{key}": value
        for name in ("vision", "text", "audio")
        for key, value in zip(
            ("embed_dim", "num_blocks", "num_heads"),
            (getattr(small_config, name).width, getattr(small_config, name).blocks, getattr(small_config, name).heads),
        )
    }
    unused = {
        f"{name}_{key}": value
        for name in ("depth", "thermal", "imu")
        for key, value in (("embed_dim", 8), ("num_blocks", 1), ("num_heads", 1))
    }
    oracle = reference.model.ImageBindModel(out_embed_dim=small_config.embed_dim, **towers, **unused).eval()
    loaded = oracle.load_state_dict(official_state_dict(model), strict=False)
    assert not loaded.unexpected_keys
    assert not any(part in key for key in loaded.missing_keys for part in (".vision.", ".text.", ".audio."))
    return oracle


@pytest.fixture(scope="session")
def relative_error():
    def error(actual: torch.Tensor, expected: torch.Tensor) -> float:
        return ((actual - expected).norm() / expected.norm()).item()

    return error


@pytest.fixture
def normal():
    """Draws normally distributed tensors of a shape; the same in every run."""
    generator = torch.Generator().manual_seed(7)
    return lambda *shape: torch.randn(shape, generator=generator)
