"""The contact sheet: the candidates of a search at the moment of choice, with their scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from ..errors import AlignerError
from .grid import arranged, margin
from .lettering import Paragraph, elided
from .palette import CHOSEN, DIMMED, FAINT, GRID, INK, OTHER, PAPER

#: More candidates than this cannot be told apart on one sheet.
MOST = 64
_NARROWEST = 320  # pixels
#: Pictures that are enlarged more than this are toys, and stay sharp.
_SHARP_ABOVE = 3
#: A taller picture, by its width, has room at its sides.
_TALLEST = 2.5
#: The shortest bar, as a part of the longest.
_SHORTEST = 0.1


@dataclass(frozen=True)
class Tile:
    """A candidate.

    score: the higher, the better; NaN has no bar. label: its name, such as "seed 1234". note: what else is to know,
    such as "silent". A candidate with a note is drawn with less weight, unless it is chosen.
    """

    picture: Image.Image
    score: float
    label: str
    chosen: bool = False
    note: str = ""


def contact_sheet(tiles: Sequence[Tile], *, title: str, caption: str = "", width: int = 1280) -> Image.Image:
    """Draw the tiles in their order as an RGB picture, about 16 by 10 where their pictures allow it.

    Each has its picture, its label, its score with three decimals, and a bar from the lowest score of the sheet to
    the highest. Where all are equal, all bars are full. The chosen one is framed. Of more than 64 tiles the chosen
    one and the best are drawn, and the caption counts the others. title, caption: broken into lines where they are
    long. width: in pixels, at least 320.

    Raises:
        AlignerError: there are no tiles, or the sheet is narrower than 320 pixels.
    """
    if not tiles:
        raise AlignerError("A contact sheet needs at least one candidate.")
    if width < _NARROWEST:
        raise AlignerError(f"A contact sheet needs a width of at least {_NARROWEST} pixels, not {width}.")
    shown = _shown(tiles)
    if others := len(tiles) - len(shown):
        caption = f"{others} more {'was' if others == 1 else 'were'} tried and fitted less.\n{caption}"
    return _Sheet(shown, title, caption, width).drawn()


def _shown(tiles: Sequence[Tile]) -> list[Tile]:
    """All tiles, or the chosen ones and the best of the others, in their order."""
    if len(tiles) <= MOST:
        return list(tiles)

    def place(number: int) -> tuple[bool, float]:
        score = tiles[number].score
        return not tiles[number].chosen, -score if math.isfinite(score) else math.inf

    return [tiles[number] for number in sorted(sorted(range(len(tiles)), key=place)[:MOST])]


class _Sheet:
    """The layout of a sheet: a title, a grid of tiles, a caption."""

    def __init__(self, tiles: Sequence[Tile], title: str, caption: str, width: int):
        self.tiles, self.width, self.margin = tiles, width, margin(width)
        room = width - 2 * self.margin
        self.title = Paragraph(title, max(15, width // 44), room)
        self.caption = Paragraph(caption, max(12, width // 66), room)
        # The pictures of a run have one shape. Where they do not, the tallest decides.
        aspect = min(_TALLEST, max(tile.picture.height / tile.picture.width for tile in tiles))
        around = self.title.height + self.caption.height + 2 * self.margin
        self.grid = arranged(width, [(tile.label, tile.note) for tile in tiles], aspect, around)
        self.top = self.margin + self.title.height
        self.bottom = self.top + self.grid.height
        self.height = self.grid.height + around

        scores = [_score(tile) for tile in tiles]
        self.score_room = max(self.grid.text.getlength(score) for score in scores)
        finite = [tile.score for tile in tiles if math.isfinite(tile.score)]
        self.low, self.high = min(finite, default=0.0), max(finite, default=0.0)

    def drawn(self) -> Image.Image:
        self.sheet = Image.new("RGB", (self.width, self.height), PAPER)
        self.canvas = ImageDraw.Draw(self.sheet)
        self.title.draw(self.canvas, self.grid.left, self.margin // 2, INK)
        for number, tile in enumerate(self.tiles):
            left, top = self.grid.place(number)
            self._draw_picture(tile, left, self.top + top)
            self._draw_words(tile, left, self.top + top + self.grid.tall + self.grid.letter // 3)
        self.caption.draw(self.canvas, self.grid.left, self.bottom + self.margin // 4, INK)
        return self.sheet

    def _draw_picture(self, tile: Tile, left: int, top: int) -> None:
        wide, tall = self.grid.cell, self.grid.tall
        self.canvas.rectangle([left, top, left + wide - 1, top + tall - 1], GRID)
        picture = _scaled(tile.picture, wide, tall)
        self.sheet.paste(picture, (left + (wide - picture.width) // 2, top + (tall - picture.height) // 2))
        if tile.chosen:
            thick = max(3, self.grid.gap * 3 // 7)
            frame = [left - thick, top - thick, left + wide - 1 + thick, top + tall - 1 + thick]
            self.canvas.rectangle(frame, outline=CHOSEN, width=thick)
            self._draw_badge("chosen", left, top)

    def _draw_badge(self, words: str, left: int, top: int) -> None:
        """Words on a coloured ground in the upper left corner of a picture."""
        text, room = self.grid.text, self.grid.letter // 3
        box = [left, top, left + text.getlength(words) + 2 * room, top + self.grid.line + room // 2]
        self.canvas.rectangle(box, CHOSEN)
        self.canvas.text((left + room, top + self.grid.line / 2), words, PAPER, text, "lm")

    def _draw_words(self, tile: Tile, left: int, top: int) -> None:
        """The label and the note, and below them the bar and the score."""
        grid, text, right = self.grid, self.grid.text, left + self.grid.cell
        strong = INK if tile.chosen or not tile.note else DIMMED
        self.canvas.text((left, top), elided(tile.label, text, grid.cell), strong, text, "la")
        if grid.notes_below:
            note = elided(tile.note, text, grid.cell)
            self.canvas.text((left, top + 2 * grid.line), note, DIMMED, text, "la")
        else:
            self.canvas.text((right, top), tile.note, DIMMED, text, "ra")
        self.canvas.text((right, top + grid.line), _score(tile), strong, text, "ra")
        self._draw_bar(tile, left, top + grid.line + round(0.6 * grid.letter))

    def _draw_bar(self, tile: Tile, left: int, middle: int) -> None:
        longest = self.grid.cell - self.score_room - self.grid.letter / 2
        thick = max(4, round(0.4 * self.grid.letter))
        top = middle - thick // 2
        self.canvas.rectangle([left, top, left + round(longest) - 1, top + thick - 1], GRID)
        if math.isfinite(tile.score):
            place = (tile.score - self.low) / (self.high - self.low) if self.high > self.low else 1.0
            length = round(longest * (_SHORTEST + (1 - _SHORTEST) * place))
            colour = CHOSEN if tile.chosen else FAINT if tile.note else OTHER
            self.canvas.rectangle([left, top, left + length - 1, top + thick - 1], colour)


def _score(tile: Tile) -> str:
    # A sum with 0 has no negative zero.
    return f"{round(tile.score, 3) + 0.0:.3f}" if math.isfinite(tile.score) else "-"


def _scaled(picture: Image.Image, wide: int, tall: int) -> Image.Image:
    """The picture as large as it fits into wide x tall pixels, undistorted. RGB."""
    scale = min(wide / picture.width, tall / picture.height)
    method = Image.Resampling.NEAREST if scale > _SHARP_ABOVE else Image.Resampling.LANCZOS
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.convert("RGB").resize(size, method)
