"""The grid of a contact sheet: how many columns there are, and where each tile stands."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .lettering import font

#: Width by height of a sheet: that of most screens.
_SHAPE = 1.6
#: Letters of a tile, as a part of the sheet's width: the smallest that can be read where the sheet is 600 pixels wide.
_SMALLEST, _LARGEST, _FEWEST_PIXELS = 1 / 71, 1 / 54, 11
#: The narrowest tile, as a part of the sheet's width. A longer label is elided where it needs more than the widest.
_NARROWEST, _WIDEST_LABEL = 1 / 14, 1 / 11


class Grid:
    """Tiles in so many columns. All lengths are pixels.

    A tile is a picture of cell x tall above two lines of words: the label, and the bar with the score. Notes stand
    beside the labels; where one has no room there, notes have a third line.
    """

    def __init__(self, width: int, columns: int, words: Sequence[tuple[str, str]], aspect: float):
        self.width, self.columns, self.rows = width, columns, math.ceil(len(words) / columns)
        self.gap, self.margin = max(6, width // 90), max(8, width // 50)
        room = (width - 2 * self.margin + self.gap) // columns - self.gap
        # A single tall picture would fill more than the screen.
        self.tall = max(1, min(round(room * aspect), width // 2))
        self.cell = max(1, min(room, round(self.tall / aspect)))
        self.left = (width - columns * self.cell - (columns - 1) * self.gap) // 2

        smallest = max(_FEWEST_PIXELS, round(width * _SMALLEST))
        self.letter = min(max(smallest, self.cell // 12), max(smallest, round(width * _LARGEST)))
        self.text = font(self.letter)
        self.line = round(1.35 * self.letter)
        labels = [self.text.getlength(label) for label, _ in words]
        both = [self.text.getlength(f"{label}  {note}") for label, note in words if note]
        self.notes_below = max(both, default=0.0) > self.cell
        self.row = self.tall + self.letter // 3 + (3 if self.notes_below else 2) * self.line + self.gap
        self.readable = self.cell >= max(width * _NARROWEST, min(max(labels), width * _WIDEST_LABEL))
        self.empty = columns * self.rows - len(words)

    def place(self, number: int) -> tuple[int, int]:
        """The left and upper edge of a tile below the upper edge of the grid."""
        down, across = divmod(number, self.columns)
        return self.left + across * (self.cell + self.gap), down * self.row

    def misfit(self, around: int) -> float:
        """How far the sheet is from its shape, and how much of the grid is empty. around: height of what else it has."""
        height = self.rows * self.row + around
        return abs(math.log(self.width / height / _SHAPE)) + self.empty / (self.columns * self.rows)


def arranged(width: int, words: Sequence[tuple[str, str]], aspect: float, around: int) -> Grid:
    """The grid that suits a sheet best.

    words: label and note of each tile. aspect: height by width of its picture. around: height of what the sheet has
    besides.
    """
    grids = [Grid(width, columns, words, aspect) for columns in range(1, len(words) + 1)]
    return min([grid for grid in grids if grid.readable] or grids[:1], key=lambda grid: grid.misfit(around))
