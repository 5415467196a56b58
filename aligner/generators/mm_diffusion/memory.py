"""How much memory a step of MM-Diffusion takes beside the weights.

Counted for the published network, whose sound is part of every figure; the kernels make it vary.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..base import BackwardPass, Footprint
from .config import CoupledUNetConfig

#: Activations per pixel of a video, all frames counted, in bytes, by whether values are half as long: norms
#: compute in float32 all the same. What comes and goes in a step; recomputing a layer takes no more than that.
_STEP_BYTES = {True: 12_300, False: 14_300}
#: The same where a backward pass goes through all evaluations of a step.
_THROUGH_STEP_BYTES = 20_800
#: What a backward pass keeps, and (True) keeps where it recomputes layer by layer.
_KEPT_BYTES = {False: {True: 136_000, False: 169_000}, True: {True: 11_000, False: 19_600}}
#: The channels that these figures were counted for.
_CHANNELS = 128


def footprint(
    config: CoupledUNetConfig, batch: int, backward: Mapping[str, BackwardPass], evaluations: int, half: bool
) -> Footprint:
    """Activations of one step. Both streams go through one network, so that one gradient keeps both.

    evaluations: of the network in a step. half: whether the network is in half precision.
    """
    pixels = batch * config.frames * config.side**2 * config.channels / _CHANNELS
    through = [each for each in backward.values() if each.to_latents]
    whole = any(each.through_step for each in through)
    kept = _KEPT_BYTES[all(each.checkpointing for each in through)][half] if through else 0
    passing = _THROUGH_STEP_BYTES if whole else _STEP_BYTES[half]
    return Footprint(pixels * kept * (evaluations if whole else 1), pixels * passing)
