"""Pictures of results, drawn with Pillow alone: the alignment curve, and sound as a spectrogram."""

from __future__ import annotations

from .chart import alignment_curve
from .spectrogram import mel_picture, spectrogram

__all__ = ["alignment_curve", "mel_picture", "spectrogram"]
