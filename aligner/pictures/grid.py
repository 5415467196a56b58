"""The grid of a contact sheet: how many columns there are, and where each tile stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from .lettering import font

#: Width by height of a sheet: that of most screens.
_SHAPE = 1.6
#: How much an empty part of the grid counts against a sheet that is higher or wider by the same part.
_EMPTINESS = 1.5
#: Letters of a tile, as a part of the sheet's width: the smallest that can be read where the sheet is 600 pixels wide.
_SMALLEST, _LARGEST, _FEWEST_PIXELS = 1 / 71, 1 / 54, 11
#: The narrowest tile, as a part of the sheet's width. A longer label is elided where it needs more than the widest.
_NARROWEST, _WIDEST_LABEL = 1 / 14, 1 / 11


def margin(width: int) -> int:
    """The margin of a sheet, in pixels like its width."""
    return max(8, width // 50)


class Grid:
    """Tiles in so many columns. All lengths are pixels.

    A tile is a picture of cell x tall above two lines of words: the label, and the bar with the score. Notes stand
    beside the labels; where one has no room there, rows with notes have a third line.
    """

    def __init__(self, width: int, columns: int, words: Sequence[tuple[str, str]], aspect: float):
        self.width, self.columns = width, columns
        self.gap = max(6, width // 90)
        room = (width - 2 * margin(width) + self.gap) // columns - self.gap
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
        rows = [words[first : first + columns] for first in range(0, len(words), columns)]
        lines = [3 if self.notes_below and any(note for _, note in row) else 2 for row in rows]
        heights = [self.tall + self.letter // 3 + count * self.line + self.gap for count in lines]
        *self.tops, self.height = accumulate(heights, initial=0)

        self.readable = self.cell >= max(width * _NARROWEST, min(max(labels), width * _WIDEST_LABEL))
        self.empty = 1 - len(words) / (columns * len(rows))

    def place(self, number: int) -> tuple[int, int]:
        """The left and upper edge of a tile below the upper edge of the grid."""
        down, across = divmod(number, self.columns)
        return self.left + across * (self.cell + self.gap), self.tops[down]

    def misfit(self, around: int) -> float:
        """How far the sheet is from its shape, and how much of the grid is empty. around: see `arranged`."""
        return abs(math.log(self.width / (self.height + around) / _SHAPE)) + _EMPTINESS * self.empty


def arranged(width: int, words: Sequence[tuple[str, str]], aspect: float, around: int) -> Grid:
    """The grid that suits a sheet best.

    words: label and note of each tile. aspect: height by width of its picture. around: height of what the sheet has
    besides.
    """
    grids = [Grid(width, columns, words, aspect) for columns in range(1, len(words) + 1)]
    return min([grid for grid in grids if grid.readable] or grids[:1], key=lambda grid: grid.misfit(around))
