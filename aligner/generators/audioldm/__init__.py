"""AudioLDM (arXiv 2301.12503): sound from words."""

from .generator import (
    STREAM,
    AudioLDM,
    AudioLDMDenoiser,
    load_audioldm,
    require_samples,
    require_window,
)

__all__ = [
    "STREAM",
    "AudioLDM",
    "AudioLDMDenoiser",
    "load_audioldm",
    "require_samples",
    "require_window",
]
