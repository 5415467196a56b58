"""How much memory a step of AnimateDiff takes beside the weights.

Counted for Stable Diffusion 1.5 with AnimateDiff's second motion module (`laboratory.benchmarks.video_memory`); the
kernels make it vary.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ...tensors.precision import dtype_of
from ..base import BackwardPass, Footprint

if TYPE_CHECKING:
    from .generator import AnimateDiffDenoiser

#: float32 activations that come and go, in bytes. Per pixel of a video: a plain step of the U-Net. Per pixel of a
#: picture: the plain decoder, and what flash attention allocates in its backward pass through the motion modules. It
#: pads the frames, so that their number does not matter.
_STEP_BYTES, _DECODER_BYTES, _ATTENTION_BYTES = 525, 3450, 3200


class _Keeping(NamedTuple):
    """float32 activations that a backward pass needs, in bytes.

    network: per pixel of a video, for one half of classifier-free guidance. decoder: per pixel of a picture, since
    frames are decoded one by one.
    """

    network: float
    decoder: float


#: All of them kept, or (True) recomputed layer by layer.
_KEEPING = {False: _Keeping(network=10300, decoder=23300), True: _Keeping(network=890, decoder=9930)}


def footprint(denoiser: AnimateDiffDenoiser, batch: int, backward: BackwardPass | None) -> Footprint:
    """The activations of one step of so many videos, and of decoding the result."""
    picture = math.prod(denoiser.shape[-2:]) * denoiser.model.compression**2
    # Windows come and go one after the other.
    at_once = min(denoiser.frames, denoiser.windows.length) if denoiser.windows else denoiser.frames
    video, scale = batch * at_once * picture, dtype_of(denoiser.model.unet).itemsize / 4
    kept, passing = 0.0, [video * _STEP_BYTES, picture * _DECODER_BYTES]
    if backward:
        keeping, halves = _KEEPING[backward.checkpointing], _differentiated_halves(denoiser, backward)
        kept = halves * video * keeping.network
        # TAESD takes less still than the VAE at half the size.
        passing.append((picture if denoiser.decoding == "exact" else picture / 4) * keeping.decoder)
        if halves:
            passing.append(video * _STEP_BYTES + batch * picture * _ATTENTION_BYTES)
    return Footprint(kept * scale, max(passing) * scale)


def _differentiated_halves(denoiser: AnimateDiffDenoiser, backward: BackwardPass) -> int:
    """How many of the unconditional and the conditional prediction keep what their gradients need."""
    if backward.to_latents:
        return 1 if denoiser.negative is None else 2
    return 1 if backward.to_prompt else 0
