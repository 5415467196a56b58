"""How far an approximate decoder leads guidance astray: its gradient against the exact one's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from ..errors import AlignerError
from ..generators.signals import LatentFrames
from ..sampling import GRADIENT_SCALE


def gradient_cosine(frames: LatentFrames, loss: Callable[[LatentFrames], torch.Tensor]) -> torch.Tensor:
    """The cosine between two gradients with respect to a video's latents (B, C, F, h, w): (B,), float64.

    loss: (B,), each sample's own. One gradient passes through the exact decoder, the other through the one that
    ImageBind's eyes make do with. 1 means that guidance moves the latents in the same direction.

    Raises AlignerError where one of the gradients is zero or not finite.
    """
    exact, approximate = (_gradient(replace(frames, glance=look), loss) for look in (frames.decode, frames.glance))
    return (exact * approximate).sum(dim=1)


@torch.enable_grad()
def _gradient(frames: LatentFrames, loss: Callable[[LatentFrames], torch.Tensor]) -> torch.Tensor:
    """The gradient's direction, (B, C * F * h * w) of length 1."""
    latents = frames.latents.detach().clone().requires_grad_()
    # Scaled as in the loop, lest half precision lose it; the direction stays.
    (gradient,) = torch.autograd.grad(loss(replace(frames, latents=latents)).sum() * GRADIENT_SCALE, latents)
    gradient = gradient.cpu().double().flatten(1)
    length = gradient.norm(dim=1, keepdim=True)
    if not ((length > 0) & length.isfinite()).all():
        raise AlignerError(
            "The gradient of the loss with respect to the latents is zero or not finite: there is no "
            "direction to compare. Check latents and conditions, or decode in fp32."
        )
    return gradient / length
