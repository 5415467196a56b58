"""The contact sheet: the candidates of a search at the moment of choice, with their scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from ..errors import AlignerError
from .chart import GRID, INK, LINE_COLOURS, PAPER

#: The colour of what was chosen, and of the bars of the others.
CHOSEN, OTHER = LINE_COLOURS[1], "#9db4c0"
DIMMED = "#8a8a8a"
#: More candidates than this cannot be told apart on one sheet.
MOST = 64
#: Width by height that a sheet is laid out for.
_SHAPE = 1.6
_NARROWEST = 320  # pixels


@dataclass(frozen=True)
class Tile:
    """A candidate. score: a cosine in -1..1; NaN has no bar. note: what else is to know, such as "silent"."""

    picture: Image.Image
    score: float
    label: str
    chosen: bool = False
    note: str = ""


def contact_sheet(tiles: Sequence[Tile], *, title: str, caption: str = "", width: int = 1280) -> Image.Image:
    """Draw the tiles in their order as an RGB picture.

    Each has its picture, its label, its score and a bar: the lowest score of the sheet has the shortest. Of more than
    64 tiles the best are drawn, and the chosen one. width: in pixels, at least 320.

    Raises AlignerError without tiles, and for a smaller width.
    """
    if not tiles:
        raise AlignerError("A contact sheet needs at least one candidate.")
    if width < _NARROWEST:
        raise AlignerError(f"A contact sheet needs a width of at least {_NARROWEST} pixels, not {width}.")
    shown = _shown(tiles)
    if len(shown) < len(tiles):
        caption = f"{len(tiles) - len(shown)} more were tried.\n{caption}".strip()
    return _Sheet(shown, width).drawn(title, caption)


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """The pictures one above the other, all as wide as the widest. RGB. Without pictures a small empty one."""
    if not pictures:
        return Image.new("RGB", (64, 40), GRID)
    width = max(picture.width for picture in pictures)
    scaled = [picture.resize((width, round(picture.height * width / picture.width))) for picture in pictures]
    canvas = Image.new("RGB", (width, sum(picture.height for picture in scaled)))
    top = 0
    for picture in scaled:
        canvas.paste(picture, (0, top))
        top += picture.height
    return canvas


def _shown(tiles: Sequence[Tile]) -> list[Tile]:
    """All tiles, or the best of them and the chosen ones, in their order."""
    if len(tiles) <= MOST:
        return list(tiles)

    def place(number: int) -> tuple[bool, float]:
        score = tiles[number].score
        return not tiles[number].chosen, -score if math.isfinite(score) else math.inf

    return [tiles[number] for number in sorted(sorted(range(len(tiles)), key=place)[:MOST])]


class _Sheet:
    """The layout: columns of equal cells, each a picture above a label, a score and a bar."""

    def __init__(self, tiles: Sequence[Tile], width: int):
        self.tiles, self.width = tiles, width
        self.gap = max(6, width // 100)
        # Pictures differ in shape only where they come from different models; the tallest decides.
        self.aspect = min(2.5, max(tile.picture.height / tile.picture.width for tile in tiles))
        self.columns = min(range(1, len(tiles) + 1), key=self._misfit)
        self.rows = math.ceil(len(tiles) / self.columns)
        self.cell = self._cell(self.columns)
        self.letter, self.title = self._letter(self.columns), max(16, width // 45)
        self.text, self.heading = ImageFont.load_default(self.letter), ImageFont.load_default(self.title)
        self.line = round(1.35 * self.letter)
        finite = [tile.score for tile in tiles if math.isfinite(tile.score)]
        self.low, self.high = min(finite, default=0.0), max(finite, default=0.0)

    def _cell(self, columns: int) -> int:
        return min((self.width - self.gap * (columns + 1)) // columns, self.width // 2)

    def _letter(self, columns: int) -> int:
        return max(11, min(self.width // 55, self._cell(columns) // 11))

    def _height(self, columns: int) -> float:
        letters = 3.2 * self._letter(columns)
        return math.ceil(len(self.tiles) / columns) * (self._cell(columns) * self.aspect + letters + self.gap)

    def _misfit(self, columns: int) -> float:
        empty = -len(self.tiles) % columns
        return abs(math.log(self.width / self._height(columns) / _SHAPE)) + 2 * empty / len(self.tiles)

    def drawn(self, title: str, caption: str) -> Image.Image:
        top = round(2.2 * self.title)
        row = round(self.cell * self.aspect) + round(2.4 * self.line) + self.gap
        lines = caption.splitlines()
        letter = max(13, self.width // 70)
        small, spacing = ImageFont.load_default(letter), round(1.4 * letter)
        height = top + self.rows * row + (len(lines) * spacing + self.gap if lines else 0)
        sheet = Image.new("RGB", (self.width, height), PAPER)
        canvas = ImageDraw.Draw(sheet)
        canvas.text((self.gap, self.title * 0.55), title, INK, self.heading, "la")
        for number, tile in enumerate(self.tiles):
            across, down = number % self.columns, number // self.columns
            self._draw(sheet, canvas, tile, self.gap + across * (self.cell + self.gap), top + down * row)
        for number, line in enumerate(lines):
            canvas.text((self.gap, top + self.rows * row + number * spacing), line, INK, small, "la")
        return sheet

    def _draw(self, sheet: Image.Image, canvas: ImageDraw.ImageDraw, tile: Tile, left: int, top: int) -> None:
        tall = round(self.cell * self.aspect)
        scale = min(self.cell / tile.picture.width, tall / tile.picture.height)
        size = max(1, round(tile.picture.width * scale)), max(1, round(tile.picture.height * scale))
        # Enlarged toys stay sharp, large pictures stay smooth.
        method = Image.Resampling.NEAREST if scale > 2 else Image.Resampling.LANCZOS
        picture = tile.picture.convert("RGB").resize(size, method)
        canvas.rectangle([left, top, left + self.cell - 1, top + tall - 1], GRID)
        sheet.paste(picture, (left + (self.cell - size[0]) // 2, top + (tall - size[1]) // 2))
        score = f"{tile.score:.3f}" if math.isfinite(tile.score) else "–"
        colour = CHOSEN if tile.chosen else DIMMED if tile.note else INK
        below = top + tall + round(0.35 * self.line)
        canvas.text((left, below), self._fitting(tile.label, score), colour, self.text, "la")
        canvas.text((left + self.cell, below), score, colour, self.text, "ra")
        if length := self._bar(tile.score):
            under = below + round(1.25 * self.line)
            thick = max(3, self.line // 4)
            bar = [left, under, left + length - 1, under + thick]
            canvas.rectangle(bar, CHOSEN if tile.chosen else OTHER)
        if words := ", ".join(filter(None, ("chosen" if tile.chosen else "", tile.note))):
            self._badge(canvas, words, left, top, CHOSEN if tile.chosen else DIMMED)
        if tile.chosen:
            thick = max(3, self.gap // 2)
            frame = [left - thick, top - thick, left + self.cell - 1 + thick, top + tall - 1 + thick]
            canvas.rectangle(frame, outline=CHOSEN, width=thick)

    def _badge(self, canvas: ImageDraw.ImageDraw, words: str, left: int, top: int, colour: str) -> None:
        """Words on a coloured ground in the upper left corner of a picture."""
        room = self.letter // 2
        canvas.rectangle([left, top, left + self.text.getlength(words) + 2 * room, top + self.line + room // 2], colour)
        canvas.text((left + room, top + room // 3), words, PAPER, self.text, "la")

    def _fitting(self, words: str, score: str) -> str:
        """The words as far as they leave room for the score."""
        room = self.cell - self.text.getlength(score) - self.letter / 2
        while words and self.text.getlength(words) > room:
            words = words[:-1]
        return words

    def _bar(self, score: float) -> int:
        """The length of a bar in pixels: a tenth of the cell for the lowest score, all of it for the highest."""
        if not math.isfinite(score):
            return 0
        place = (score - self.low) / (self.high - self.low) if self.high > self.low else 1.0
        return round(self.cell * (0.1 + 0.9 * place))
