"""Still pictures, through Pillow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..errors import MediaError
from ..files.atomic import written_whole
from .container import Source, describe

if TYPE_CHECKING:
    from PIL.Image import Image

# How pictures are written, by suffix. As in PNG, colours are kept for every pixel: results are worked on further.
WRITTEN = {".png": {}, ".jpg": {"quality": 95, "subsampling": 0}, ".jpeg": {"quality": 95, "subsampling": 0}}

SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # how Pillow calls 16-bit grey, by file and version


def read_image(source: Source) -> torch.Tensor:
    """A picture as float32 (3, H, W), RGB in 0..1, turned as its EXIF orientation says.

    Transparent parts appear on white, the paper of most drawings and photographs of products. Grey, palette,
    CMYK and 16-bit pictures become RGB; of an animation the first frame is taken.

    Raises:
        MediaError: not a picture, damaged, or with floating-point values of unknown range.
    """
    from PIL import Image, ImageOps

    name = describe(source)
    try:
        with Image.open(source) as picture:
            return _pixels(ImageOps.exif_transpose(picture), name)
    except FileNotFoundError as error:
        raise MediaError(f"{name} is not a file: check the name and the folder.") from error
    except MediaError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(f"{name} cannot be read as a picture ({error}): save it anew as PNG or JPEG.") from error


def write_image(path: str | os.PathLike, pixels: torch.Tensor) -> None:
    """Write a picture with 8 bits per colour.

    Args:
        path: a .png or .jpg.
        pixels: float (3, H, W), RGB in 0..1; what exceeds it is clipped.

    Raises:
        MediaError: another suffix, a wrong shape, values that are not numbers, or no such place.
    """
    from PIL import Image

    path = Path(path)
    options = WRITTEN.get(path.suffix.lower())
    if options is None:
        raise MediaError(f"{path.name}: pictures are written as {' or '.join(WRITTEN)}; change the suffix.")
    if pixels.ndim != 3 or len(pixels) != 3 or not pixels.numel() or not pixels.is_floating_point():
        raise MediaError(
            f"a picture must be floats of shape (3, height, width), but this one is {pixels.dtype} "
            f"{tuple(pixels.shape)}."
        )
    if not pixels.isfinite().all():
        raise MediaError("a picture must consist of finite values; this one has NaN or inf.")
    with written_whole(path) as temporary:
        Image.fromarray(eight_bit(pixels).permute(1, 2, 0).contiguous().numpy()).save(temporary, **options)


def eight_bit(pixels: torch.Tensor) -> torch.Tensor:
    """Floats in 0..1, of any shape, to the nearest uint8 in 0..255, on the CPU."""
    return pixels.detach().to("cpu", torch.float32).mul(255).round().clamp(0, 255).to(torch.uint8)


def _pixels(picture: Image, name: str) -> torch.Tensor:
    import numpy
    from PIL import Image

    if picture.mode == "F":
        raise MediaError(f"{name} holds floating-point values of unknown range: save it as an 8- or 16-bit PNG.")
    if picture.mode in SIXTEEN_BIT:
        grey = torch.from_numpy(numpy.asarray(picture).astype(numpy.float32)) / 65535
        return grey.clamp(0, 1).expand(3, -1, -1).contiguous()
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return torch.from_numpy(numpy.array(picture.convert("RGB"))).permute(2, 0, 1).contiguous() / 255
