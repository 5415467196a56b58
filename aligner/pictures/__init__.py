"""Pictures of results, drawn with Pillow: contact sheets, the alignment curve, and spectrograms of sound."""

from __future__ import annotations

from .beside import beside
from .caption import captioned
from .chart import alignment_curve
from .contact_sheet import Tile, contact_sheet
from .film import Film, stacked_films
from .spectrogram import mel_picture, spectrogram, spectrogram_with_axes
from .stack import stacked

__all__ = [
    "Film",
    "Tile",
    "alignment_curve",
    "beside",
    "captioned",
    "contact_sheet",
    "mel_picture",
    "spectrogram",
    "spectrogram_with_axes",
    "stacked",
    "stacked_films",
]
