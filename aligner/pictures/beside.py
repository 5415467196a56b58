"""Two pictures beside each other."""

from __future__ import annotations

from PIL import Image

from .palette import PAPER


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures with a gap between them; the lower one is enlarged to the height of the other. RGB."""
    height = max(left.height, right.height)
    scaled = [picture.resize((round(picture.width * height / picture.height), height)) for picture in (left, right)]
    gap = max(4, height // 40)
    canvas = Image.new("RGB", (scaled[0].width + gap + scaled[1].width, height), PAPER)
    canvas.paste(scaled[0])
    canvas.paste(scaled[1], (scaled[0].width + gap, 0))
    return canvas
