"""Still pictures, through Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..errors import MediaError
from .container import Source, describe

if TYPE_CHECKING:
    from PIL.Image import Image

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
        raise MediaError(
            f"{name} cannot be read as a picture ({error}): save it anew as PNG or JPEG."
        ) from error


def _pixels(picture: Image, name: str) -> torch.Tensor:
    import numpy
    from PIL import Image

    if picture.mode == "F":
        raise MediaError(
            f"{name} holds floating-point values of unknown range: save it as an 8- or 16-bit PNG."
        )
    if picture.mode in SIXTEEN_BIT:
        grey = torch.from_numpy(numpy.asarray(picture).astype(numpy.float32)) / 65535
        return grey.clamp(0, 1).expand(3, -1, -1).contiguous()
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return torch.from_numpy(numpy.array(picture.convert("RGB"))).permute(2, 0, 1).contiguous() / 255
