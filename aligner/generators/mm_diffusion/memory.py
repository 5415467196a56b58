"""How much memory a step of MM-Diffusion takes beside the weights.

Counted for the published network, whose sound is part of every figure; the kernels make it vary.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..base import BackwardPass, Footprint
from .config import CoupledUNetConfig

#: float32 activations per pixel of a video, all frames counted, in bytes: what comes and goes in a plain step, what a
#: backward pass keeps, and (True) keeps and recomputes layer by layer.
_STEP_BYTES, _KEPT_BYTES, _RECOMPUTED_BYTES = 14_200, {False: 167_300, True: 17_600}, 13_500
#: The channels that these figures were counted for.
_CHANNELS = 128


def footprint(config: CoupledUNetConfig, batch: int, backward: Mapping[str, BackwardPass]) -> Footprint:
    """float32 activations of one step. Both streams go through one network, so that one gradient keeps both."""
    pixels = batch * config.frames * config.side**2 * config.channels / _CHANNELS
    through = [each for each in backward.values() if each.to_latents]
    if not through:
        return Footprint(0, pixels * _STEP_BYTES)
    checkpointing = all(each.checkpointing for each in through)
    passing = max(_STEP_BYTES, _RECOMPUTED_BYTES) if checkpointing else _STEP_BYTES
    return Footprint(pixels * _KEPT_BYTES[checkpointing], pixels * passing)
