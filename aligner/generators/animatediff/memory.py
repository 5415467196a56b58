"""How much memory a step of AnimateDiff takes beside the weights.

Counted for Stable Diffusion 1.5 with AnimateDiff's second motion module and ImageBind's vision tower (see
`laboratory.benchmarks.video_memory`); what a run really takes varies with the kernels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ...binders.imagebind.encode import CLIPS_AT_ONCE
from ...guidance.rule import RULES, Guidance
from ...tensors.precision import dtype_of
from ...timing.clips import CLIP_SAMPLINGS

if TYPE_CHECKING:
    from . import AnimateDiffDenoiser

#: float32 activations of what comes and goes, in bytes. Per pixel of a video: a plain step of the U-Net. Per pixel of a
#: picture: the plain decoder; and what flash attention takes for itself on its way back through the motion modules,
#: which it pads, so that it does not matter how many frames there are.
_STEP_BYTES, _DECODER_BYTES, _ATTENTION_BYTES = 525, 3450, 3200


class _Keeping(NamedTuple):
    """float32 activations that a backward pass needs, in bytes.

    network: per pixel of a video, one half of classifier-free guidance. decoder: per pixel of a picture, since frames
    are decoded one by one. clip: per input of ImageBind's vision tower.
    """

    network: float
    decoder: float
    clip: float


#: All of it kept, or (True) recomputed layer by layer.
_KEEPING = {
    False: _Keeping(network=10300, decoder=23300, clip=0.4 * 2**30),
    True: _Keeping(network=890, decoder=9930, clip=0.06 * 2**30),
}


def activation_bytes(denoiser: AnimateDiffDenoiser, batch: int, guidance: Guidance | None = None) -> int:
    """Of one step of so many videos, and of decoding the result."""
    picture = math.prod(denoiser.shape[-2:]) * denoiser.model.compression**2
    # Windows come and go one after the other.
    at_once = min(denoiser.frames, denoiser.windows.length) if denoiser.windows else denoiser.frames
    video = batch * at_once * picture
    # What the U-Net keeps is there all the time; the rest comes and goes, one after the other.
    kept, passing = 0, [video * _STEP_BYTES, picture * _DECODER_BYTES]
    # To choose among candidates takes no gradient, and what it looks at is no more than the result.
    if (guidance := guidance and guidance.of(denoiser.streams)) and guidance.moves:
        keeping, halves = _KEEPING[guidance.checkpointing], _differentiated_halves(denoiser, guidance)
        kept = halves * video * keeping.network
        # TAESD takes less still than the VAE at half the size.
        glance = picture if denoiser.decoding == "exact" else picture / 4
        passing += [glance * keeping.decoder, batch * _clips(denoiser, guidance.clips) * keeping.clip]
        if halves:
            passing.append(video * _STEP_BYTES + batch * picture * _ATTENTION_BYTES)
    return int((kept + max(passing)) * dtype_of(denoiser.model.unet).itemsize / 4)


def _differentiated_halves(denoiser: AnimateDiffDenoiser, guidance: Guidance) -> int:
    """How many of the unconditional and the conditional prediction keep what their gradients need."""
    if RULES[guidance.rule].through_denoiser and guidance.rates:
        return 1 if denoiser.negative is None else 2
    return 1 if guidance.prompt_rates else 0


def _clips(denoiser: AnimateDiffDenoiser, sampling: str) -> int:
    """How many inputs ImageBind gets of one video at once."""
    if denoiser.frames == 1:
        return 1
    cut = CLIP_SAMPLINGS[sampling]
    return min(cut.video.count_for(float(denoiser.seconds)), CLIPS_AT_ONCE) * (1 if cut.crops == "squash" else 3)
