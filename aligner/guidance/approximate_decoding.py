"""Compare the gradient through an approximate decoder with the exact one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from ..errors import AlignerError
from ..generators.signals import LatentFrames
from .gradient import GRADIENT_SCALE


def gradient_cosine(frames: LatentFrames, loss: Callable[[LatentFrames], torch.Tensor]) -> torch.Tensor:
    """The cosine between the gradients of a loss through the exact and the approximate decoder: (B,), float64.

    frames: latents (B, C, F, h, w). loss: (B,), each sample's own. 1 means that guidance moves the latents in the same
    direction.

    Raises AlignerError where one of the gradients is zero or not finite.
    """
    exact, approximate = (
        _gradient(replace(frames, decode_approximately=look), loss)
        for look in (frames.decode, frames.decode_approximately)
    )
    return (exact * approximate).sum(dim=1)


@torch.enable_grad()
def _gradient(frames: LatentFrames, loss: Callable[[LatentFrames], torch.Tensor]) -> torch.Tensor:
    """The gradient's direction, (B, C * F * h * w) of length 1."""
    latents = frames.latents.detach().clone().requires_grad_()
    # Scaled as in the loop, because half precision would round it to 0; the direction stays.
    (gradient,) = torch.autograd.grad(loss(replace(frames, latents=latents)).sum() * GRADIENT_SCALE, latents)
    gradient = gradient.cpu().double().flatten(1)
    length = gradient.norm(dim=1, keepdim=True)
    if not ((length > 0) & length.isfinite()).all():
        raise AlignerError(
            "The gradient of the loss with respect to the latents is zero or not finite: there is no "
            "direction to compare. Check latents and conditions, or decode in fp32."
        )
    return gradient / length
