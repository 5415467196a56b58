"""Video peaks of AV-Align: the moments at which most moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch

from ..errors import AlignerError
from .optical_flow import optical_flow

#: From grey frames (F, H, W) in 0..255 to how much moves from each to the next, (F - 1,).
Motion = Callable[[torch.Tensor], torch.Tensor]

#: Luma of ITU-R BT.601, as OpenCV turns colours into grey.
_LUMA = (0.299, 0.587, 0.114)

#: How many pixels' flow is computed together: about a hundred bytes each are held.
_PIXELS_AT_ONCE = 300_000


def mean_flow(frames: torch.Tensor) -> torch.Tensor:
    """The mean length of the optical flow, in pixels: grey frames (F, H, W) in 0..255 -> (F - 1,)."""
    return optical_flow(frames).norm(dim=1).mean(dim=(1, 2))


def video_peaks(
    frames: torch.Tensor | Iterable[torch.Tensor], fps: float, *, motion: Motion = mean_flow
) -> list[float]:
    """The local maxima of a video's motion, in seconds, ascending; `fps` frames a second.

    Every maximum counts, however low, as in published AV-Align: a picture that flickers has many.

    Raises AlignerError if fps is not above 0, or as `motion_curve` does.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise AlignerError(f"The frame rate must be above 0, not {fps}.")
    return [frame / fps for frame in local_maxima(motion_curve(frames, motion=motion))]


@torch.no_grad()
def motion_curve(frames: torch.Tensor | Iterable[torch.Tensor], *, motion: Motion = mean_flow) -> torch.Tensor:
    """How much moves up to each frame: (F,) float64. Nothing precedes the first, which is given what moves after it.

    frames: (F, 3, H, W) RGB, uint8 or floats in 0..1, or anything that yields such frames one by one, so that a long
    video need not be held. motion: what measures it; a function of your own may call another estimator.

    Raises AlignerError for frames of another shape or type, or that are not finite.
    """
    moved = [motion(several) for several in _overlapping(map(_grey, frames)) if len(several) > 1]
    curve = torch.cat(moved).cpu().double() if moved else torch.zeros(0, dtype=torch.float64)
    return torch.cat([curve[:1], curve])


def local_maxima(curve: torch.Tensor) -> list[int]:
    """Where a curve (F,) is higher than just before and just after."""
    rises = curve.diff()
    return (((rises[:-1] > 0) & (rises[1:] < 0)).nonzero()[:, 0] + 1).tolist()


def _overlapping(frames: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Stacks of frames, each beginning with the last frame of the one before."""
    held: list[torch.Tensor] = []
    for frame in frames:
        if held and frame.shape != held[0].shape:
            raise AlignerError(
                f"The frames of a video must be of one size, not {tuple(held[0].shape)} and then {tuple(frame.shape)}."
            )
        held.append(frame)
        if len(held) > 1 and len(held) * frame.numel() >= _PIXELS_AT_ONCE:
            yield torch.stack(held)
            held = held[-1:]
    if held:
        yield torch.stack(held)


def _grey(frame: torch.Tensor) -> torch.Tensor:
    """A frame (3, H, W) as (H, W) in 0..255."""
    if (
        frame.ndim != 3
        or len(frame) != 3
        or not frame.numel()
        or not (frame.dtype == torch.uint8 or frame.is_floating_point())
    ):
        raise AlignerError(
            "Frames to find motion in must be RGB of shape (3, height, width), floats in 0..1 or uint8, "
            f"but this one is {frame.dtype} of shape {tuple(frame.shape)}."
        )
    if not frame.isfinite().all():
        raise AlignerError("The frames contain NaN or infinite values. Check what made them.")
    pixels = frame.detach().float() * (1 if frame.dtype == torch.uint8 else 255)
    return torch.einsum("c,chw->hw", pixels.new_tensor(_LUMA), pixels)
