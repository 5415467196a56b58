"""Video peaks of AV-Align: local maxima of motion."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch

from ..errors import AlignerError
from .optical_flow import optical_flow

#: Maps grey frames (F, H, W) in 0..255 to the amount of motion from each to the next, (F - 1,).
Motion = Callable[[torch.Tensor], torch.Tensor]

#: Luma of ITU-R BT.601, as in OpenCV's conversion of RGB to grey.
_LUMA = (0.299, 0.587, 0.114)

#: Flow is computed for this many pixels at a time; each takes about a hundred bytes.
_PIXELS_AT_ONCE = 300_000


def mean_flow(frames: torch.Tensor) -> torch.Tensor:
    """The mean magnitude of the optical flow in pixels: grey frames (F, H, W) in 0..255 -> (F - 1,)."""
    return optical_flow(frames).norm(dim=1).mean(dim=(1, 2))


def video_peaks(
    frames: torch.Tensor | Iterable[torch.Tensor], fps: float, *, motion: Motion = mean_flow
) -> list[float]:
    """The times of the local maxima of a video's motion, in seconds, ascending.

    Every maximum counts, even a low one, as in published AV-Align: a flickering video has many.

    frames, motion: see `motion_curve`. fps: frames per second.
    Raises AlignerError if fps is not above 0, or as `motion_curve` does.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise AlignerError(f"The frame rate must be above 0, not {fps}.")
    return [frame / fps for frame in local_maxima(motion_curve(frames, motion=motion))]


@torch.no_grad()
def motion_curve(frames: torch.Tensor | Iterable[torch.Tensor], *, motion: Motion = mean_flow) -> torch.Tensor:
    """The motion from the previous frame to each frame: (F,) float64. The first frame gets the value of the second.

    frames: (F, 3, H, W) RGB, uint8 or floats in 0..1, or an iterable of such frames (3, H, W), which need not all be in
    memory. motion: a function of type `Motion`, by default `mean_flow`.

    Raises AlignerError for frames of another shape or type, or that are not finite.
    """
    moved = [motion(stack) for stack in _overlapping(map(_grey, frames)) if len(stack) > 1]
    curve = torch.cat(moved).cpu().double() if moved else torch.zeros(0, dtype=torch.float64)
    return torch.cat([curve[:1], curve])


def local_maxima(curve: torch.Tensor) -> list[int]:
    """The indices at which a curve (F,) is higher than both of its neighbours."""
    rises = curve.diff()
    return (((rises[:-1] > 0) & (rises[1:] < 0)).nonzero()[:, 0] + 1).tolist()


def _overlapping(frames: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Stack frames in groups. Each group starts with the last frame of the previous one."""
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
    """Convert a frame (3, H, W), uint8 or floats in 0..1, to grey (H, W) in 0..255."""
    if (
        frame.ndim != 3
        or len(frame) != 3
        or not frame.numel()
        or not (frame.dtype == torch.uint8 or frame.is_floating_point())
    ):
        raise AlignerError(
            "Motion analysis needs frames that are RGB of shape (3, height, width), floats in 0..1 or uint8, "
            f"but this one is {frame.dtype} of shape {tuple(frame.shape)}."
        )
    if not frame.isfinite().all():
        raise AlignerError("The frames contain NaN or infinite values. Check their source.")
    pixels = frame.detach().float() * (1 if frame.dtype == torch.uint8 else 255)
    return torch.einsum("c,chw->hw", pixels.new_tensor(_LUMA), pixels)
