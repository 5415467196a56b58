"""Words that are cut to the room they have."""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageFont

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


def wrapped(text: str, letters: Font, room: float) -> list[str]:
    """The lines of a text, broken between words where they are longer than the room in pixels."""
    lines = []
    for line in text.splitlines():
        words = line.split() or [""]
        broken = [words[0]]
        for word in words[1:]:
            if letters.getlength(f"{broken[-1]} {word}") <= room:
                broken[-1] += f" {word}"
            else:
                broken.append(word)
        lines += [elided(part, letters, room) for part in broken]
    return lines
