"""How much memory a step of AnimateDiff takes beside the weights.

Counted for Stable Diffusion 1.5 with AnimateDiff's second motion module (`laboratory.benchmarks.video_memory`); the
kernels make it vary.
"""

from __future__ import annotations

from typing import NamedTuple

from ..base import BackwardPass, Footprint

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


def footprint(
    *, video: int, batch: int, picture: int, decoded: float, halves: int, backward: BackwardPass | None
) -> Footprint:
    """float32 activations of one step of so many videos, and of decoding the result.

    video: pixels of all frames of a video that the network takes at once. picture: pixels of a frame. decoded: pixels
    that guidance decodes of it. halves: 2 with classifier-free guidance, else 1.
    """
    plain = [float(batch * video * _STEP_BYTES), float(picture * _DECODER_BYTES)]
    if backward is None:
        return Footprint(0, max(plain))
    keeping = _KEEPING[backward.checkpointing]
    differentiated = halves if backward.to_latents else int(backward.to_prompt)
    passing = [*plain, decoded * keeping.decoder]
    if differentiated:
        passing.append(batch * (video * _STEP_BYTES + picture * _ATTENTION_BYTES))
    return Footprint(differentiated * batch * video * keeping.network, max(passing))
