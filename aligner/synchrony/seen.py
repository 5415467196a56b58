"""The onsets of a video: how much faster its pictures change."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from ..errors import AlignerError
from ..tensors.precision import full_precision
from .ticks import TICKS_PER_SECOND

#: The mean difference of two pictures that counts as still, of values in 0..1: half a grey level.
_STILL = 2e-3
#: In logarithms. Steady motion grows by less than the first. An onset of the second above that, a factor of e, counts
#: 63 % of the strongest.
_LEAST, _STRONG = 0.3, 1.0
#: Pictures per second of the slowest animation, whose pictures a faster video repeats.
_ANIMATED = 12
#: Seconds over which motion grows, at least one frame.
_GROWTH = 1 / 16
#: The longest side of compared pictures in pixels. Larger ones are scaled down: no event is that small.
SIDE = 64


def seen_onsets(frames: torch.Tensor, fps: float) -> torch.Tensor:
    """The onset curve of videos (B, F, 3, H, W), values in 0..1, `fps` frames per second: (B, T) in 0..1, T ticks.

    It is the counterpart of spectral flux: the growth of the logarithm of the difference between one picture and the
    next, where a decline counts as 0. Small growth counts as 0, too, and large growth all nearly alike. A frame shows
    the middle of its time, so that a change seen in frame i lies within half a frame of i / fps. Differentiable. A
    single picture has no curve: T is 0.

    Raises AlignerError for another shape or integers, and for fps that is not above 0.
    """
    if frames.ndim != 5 or not frames.is_floating_point():
        raise AlignerError(f"Onsets are seen in floats (B, F, 3, H, W), not {frames.dtype} {tuple(frames.shape)}.")
    return onsets_of_differences(differences(frames), fps)


def differences(frames: torch.Tensor) -> torch.Tensor:
    """How much each picture differs from the one before: (B, F, 3, H, W) in 0..1 -> (B, F - 1) in 0..1."""
    small = full_precision(reduced(frames))
    return (small[:, 1:] - small[:, :-1]).abs().mean(dim=(2, 3, 4))


def onsets_of_differences(differences: torch.Tensor, fps: float) -> torch.Tensor:
    """The onset curve of videos whose pictures differ so much, (B, F - 1): (B, T), see `seen_onsets`."""
    if not (math.isfinite(fps) and fps > 0):
        raise AlignerError(f"The frame rate must be above 0, not {fps}.")
    count = differences.shape[1] + 1
    if count < 2:
        return differences.new_zeros(len(differences), 0)
    over = max(1, round(_GROWTH * fps))
    growth = _growth(_motion(differences, fps), over)
    onsets = 1 - (-(growth - _LEAST).clamp(min=0) / _STRONG).exp()
    # The first frame shows no motion. Growth belongs to the middle of its time.
    return _on_clock(F.pad(onsets, (1, 0)), fps, late=(over - 1) / 2)


def reduced(frames: torch.Tensor) -> torch.Tensor:
    """Frames (B, F, 3, H, W) as small as they are compared: sides of at most SIDE."""
    scale = SIDE / max(frames.shape[3:])
    if scale >= 1:
        return frames
    size = [max(1, round(side * scale)) for side in frames.shape[3:]]
    return F.interpolate(frames.flatten(0, 1), size=size, mode="area").unflatten(0, frames.shape[:2])


def _motion(differences: torch.Tensor, fps: float) -> torch.Tensor:
    """The logarithm of the differences (B, F - 1). A picture that is repeated has moved as much as the one before."""
    repeats = min(max(1, round(fps / _ANIMATED)), differences.shape[1])
    held = F.max_pool1d(differences[:, None], repeats, stride=1)
    # The first pictures may be repeated, too: what they moved before is unknown.
    return (F.pad(held, (repeats - 1, 0), mode="replicate")[:, 0] + _STILL).log()


def _growth(motion: torch.Tensor, over: int) -> torch.Tensor:
    """(B, F - 1) -> (B, F - 1): how much more moves than `over` frames ago.

    What moved before a video began is unknown, so that a first motion does not begin anything.
    """
    before = torch.cat([motion[:, :1].expand(-1, over), motion], dim=1)[:, : motion.shape[1]]
    return motion - before


def _ticks(count: int, fps: float) -> int:
    return max(1, round(count / fps * TICKS_PER_SECOND))


def _on_clock(by_frame: torch.Tensor, fps: float, late: float) -> torch.Tensor:
    """Values of frames (B, F) -> (B, T): each fills the time around its moment. late: by how many frames they are."""
    ticks = _ticks(by_frame.shape[1], fps)
    moments = (torch.arange(ticks, dtype=torch.float64) / TICKS_PER_SECOND * fps + late).round().long()
    return by_frame[:, moments.clamp(max=by_frame.shape[1] - 1).to(by_frame.device)]
