"""Words that are cut to the room they have."""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@lru_cache(maxsize=32)
def font(size: int) -> Font:
    """Pillow's own font. size: in pixels."""
    return ImageFont.load_default(size)


def elided(words: str, letters: Font, room: float) -> str:
    """The words, without their middle where they are longer than the room in pixels: labels differ at their ends."""
    if letters.getlength(words) <= room:
        return words
    for kept in range(len(words) - 1, 0, -1):
        shorter = words[: (kept + 1) // 2].rstrip() + "…" + words[len(words) - kept // 2 :].lstrip()
        if letters.getlength(shorter) <= room:
            return shorter
    return "…"


class Paragraph:
    """A text of several lines, broken between words where a line is longer than the room. size, room: in pixels."""

    def __init__(self, text: str, size: int, room: float):
        self.letters, self.line = font(size), round(1.42 * size)
        self.lines = [part for line in text.splitlines() for part in _broken(line, self.letters, room)]
        self.height = len(self.lines) * self.line

    def draw(self, canvas: ImageDraw.ImageDraw, left: float, top: float, colour: str) -> None:
        for number, line in enumerate(self.lines):
            canvas.text((left, top + number * self.line), line, colour, self.letters, "la")


def _broken(line: str, letters: Font, room: float) -> list[str]:
    """A line in as many parts as it needs. A word that is longer than the room is elided."""
    first, *others = line.split() or [""]
    parts = [first]
    for word in others:
        if letters.getlength(f"{parts[-1]} {word}") <= room:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return [elided(part, letters, room) for part in parts]
