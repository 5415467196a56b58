"""Pictures of results, drawn with Pillow: the alignment curve, and spectrograms of sound."""

from __future__ import annotations

from .chart import alignment_curve
from .spectrogram import mel_picture, spectrogram

__all__ = ["alignment_curve", "mel_picture", "spectrogram"]
