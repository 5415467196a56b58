"""AnimateDiff (arXiv 2307.04725): video, or pictures, from Stable Diffusion 1.5 and a motion module."""

from .generator import (
    DECODINGS,
    OWN_SIDE,
    STREAM,
    WINDOW,
    AnimateDiff,
    AnimateDiffDenoiser,
    load_animatediff,
    require_fps,
    require_frames,
    require_sides,
)

__all__ = [
    "DECODINGS",
    "OWN_SIDE",
    "STREAM",
    "WINDOW",
    "AnimateDiff",
    "AnimateDiffDenoiser",
    "load_animatediff",
    "require_fps",
    "require_frames",
    "require_sides",
]
