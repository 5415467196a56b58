"""A picture with a line of words below it."""

from __future__ import annotations

from PIL import Image, ImageDraw

from .lettering import elided, font
from .palette import INK, PAPER

#: A caption's narrowest picture in pixels: smaller ones are enlarged, so that words can be read.
_NARROWEST = 256


def captioned(picture: Image.Image, words: str) -> Image.Image:
    """The picture, at least 256 pixels wide, with a caption below, elided where it is too long. RGB."""
    scale = max(1, -(-_NARROWEST // picture.width))
    enlarged = picture.convert("RGB").resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    letter = max(14, enlarged.width // 24)
    canvas = Image.new("RGB", (enlarged.width, enlarged.height + 2 * letter), PAPER)
    canvas.paste(enlarged)
    place = canvas.width / 2, enlarged.height + letter
    shown = elided(words, font(letter), canvas.width - letter)
    ImageDraw.Draw(canvas).text(place, shown, INK, font(letter), "mm")
    return canvas
