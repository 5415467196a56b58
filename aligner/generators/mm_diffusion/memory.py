"""How much memory a step of MM-Diffusion takes beside the weights.

Counted for the published network, whose sound is part of every figure; the kernels make it vary.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..base import BackwardPass, Footprint
from .config import CoupledUNetConfig

#: float32 activations per pixel of a video, all frames counted, in bytes: what comes and goes in a step. Recomputing a
#: layer takes no more than that.
_STEP_BYTES = 14_200
#: The same for what a backward pass keeps, and (True) keeps where it recomputes layer by layer.
_KEPT_BYTES = {False: 167_300, True: 17_600}
#: The channels that these figures were counted for.
_CHANNELS = 128


def footprint(
    config: CoupledUNetConfig, batch: int, backward: Mapping[str, BackwardPass], evaluations: int
) -> Footprint:
    """float32 activations of one step. Both streams go through one network, so that one gradient keeps both.

    evaluations: of the network in a step.
    """
    pixels = batch * config.frames * config.side**2 * config.channels / _CHANNELS
    through = [each for each in backward.values() if each.to_latents]
    kept = _KEPT_BYTES[all(each.checkpointing for each in through)] if through else 0
    kept *= evaluations if any(each.through_step for each in through) else 1
    return Footprint(pixels * kept, pixels * _STEP_BYTES)
