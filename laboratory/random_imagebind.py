"""ImageBind with random weights, for tests and benchmarks."""

from __future__ import annotations

import math

import torch

from aligner.binders.base import Fingerprint
from aligner.binders.imagebind import ImageBind
from aligner.binders.imagebind.config import ImageBindConfig


@torch.inference_mode(False)
def random_imagebind(config: ImageBindConfig, seed: int) -> ImageBind:
    """The three towers with float32 weights, drawn on the CPU. The same seed gives the same weights.

    Activations keep their scale through the blocks, and different inputs get different embeddings. Embeddings of
    different towers are unrelated.
    """
    with torch.device("meta"):
        model = ImageBind(config)
    model.to_empty(device="cpu")
    generator = torch.Generator("cpu").manual_seed(seed)
    for name, parameter in model.named_parameters():
        mean, spread = _distribution(name, parameter)
        parameter.normal_(mean, spread, generator=generator)
    model.fingerprint = Fingerprint(model.named_parameters()).digest()
    return model


def _distribution(name: str, parameter: torch.Tensor) -> tuple[float, float]:
    """Mean and standard deviation of a weight's entries."""
    if name.endswith("log_scale"):
        return math.log(20.0), 0.0
    if "norm" in name:
        return (1.0, 0.1) if name.endswith("weight") else (0.0, 0.1)
    if "token_embedding" in name or "bias_" in name:
        return 0.0, 1.0
    if parameter.ndim > 1 and name.endswith("weight"):
        return 0.0, parameter[0].numel() ** -0.5
    return 0.0, 0.1
