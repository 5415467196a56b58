"""Pictures one above the other."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from .palette import GRID


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """The pictures one above the other, all as wide as the widest. RGB. Without pictures a small empty one."""
    if not pictures:
        return Image.new("RGB", (64, 40), GRID)
    width = max(picture.width for picture in pictures)
    scaled = [picture.resize((width, max(1, round(picture.height * width / picture.width)))) for picture in pictures]
    canvas = Image.new("RGB", (width, sum(picture.height for picture in scaled)))
    top = 0
    for picture in scaled:
        canvas.paste(picture, (0, top))
        top += picture.height
    return canvas
