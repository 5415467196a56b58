"""Reading and writing still pictures with Pillow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import torch

from ..errors import MediaError
from ..files.atomic import written_whole
from .container import Source, describe

if TYPE_CHECKING:
    from PIL.Image import Image

# Pillow's options by suffix. JPEG keeps the chroma of every pixel (no subsampling), because results are edited further.
_JPEG = {"quality": 95, "subsampling": 0}
WRITTEN: dict[str, dict[str, Any]] = {".png": {}, ".jpg": _JPEG, ".jpeg": _JPEG}

#: In pixels. No model sees more of a picture, and a result has fewer.
LONGEST_SIDE = 4096
#: A decoded picture of so many pixels takes about a gigabyte.
MOST_PIXELS = 300_000_000

_limit = Lock()

#: Pillow's modes whose colour profiles count.
_PROFILED = ("RGB", "RGBA", "CMYK", "L")
SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes of 16-bit grey, by file type and version


def read_image(source: Source) -> torch.Tensor:
    """Read a picture as float32 (3, H, W), RGB in 0..1, rotated by its EXIF orientation.

    Transparent pixels are composited on white, the background of most drawings and product photographs. Grey,
    palette, CMYK and 16-bit pictures are converted to RGB. An animation yields its first frame. A picture with a side
    above LONGEST_SIDE is scaled down to it, a JPEG while it is decoded.

    Raises:
        MediaError: the file is missing, damaged or not a picture, has more than MOST_PIXELS, or has values of unknown
            range.
    """
    from PIL import Image, ImageOps

    name = describe(source)
    try:
        with of_any_size(), Image.open(source) as picture:
            require_pixels(picture, name)
            picture.draft(None, (LONGEST_SIDE, LONGEST_SIDE))
            picture.load()
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            return _pixels(_on_screen(ImageOps.exif_transpose(picture)), name)
    except FileNotFoundError as error:
        raise MediaError(f"{name} is not a file: check the name and the folder.") from error
    except MediaError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise MediaError(f"{name} cannot be read as a picture ({error}): save it again as PNG or JPEG.") from error


def exif_orientation(source: Source) -> int:
    """EXIF's orientation of a still, 1 to 8; 1 is upright, and that of what is no still."""
    from PIL import ExifTags, Image

    if not isinstance(source, (str, os.PathLike)):
        source.seek(0)
    try:
        with of_any_size(), Image.open(source) as picture:
            return picture.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, SyntaxError, ValueError):
        return 1


def require_pixels(picture: Image, name: str) -> None:
    """Raise MediaError for a picture of more than MOST_PIXELS. name: the file's, for the message."""
    if picture.width * picture.height > MOST_PIXELS:
        raise MediaError(f"{name} has {picture.width} x {picture.height} pixels: scale it down first.")


@contextmanager
def of_any_size() -> Iterator[None]:
    """Without Pillow's limit, which photographs of today exceed. It stands in a global variable."""
    from PIL import Image

    with _limit:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def write_image(path: str | os.PathLike, pixels: torch.Tensor) -> None:
    """Write a picture with 8 bits per channel.

    Args:
        path: with the suffix .png, .jpg or .jpeg.
        pixels: float (3, H, W), RGB in 0..1; values outside are clipped.

    Raises:
        MediaError: another suffix, a wrong shape or type, NaN or infinite values, or a path that cannot be written.
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
    """Floats in 0..1, of any shape, rounded to uint8 in 0..255 on the CPU. Values outside are clipped."""
    return pixels.detach().to("cpu", torch.float32).mul(255).round().clamp(0, 255).to(torch.uint8)


def _on_screen(picture: Image) -> Image:
    """A picture in the colours of a screen, sRGB, where it has a colour profile that can be read."""
    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in _PROFILED:
        return picture
    try:
        own, screen = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
        opaque = picture if picture.mode != "RGBA" else picture.convert("RGB")
        shown = cast("Image", ImageCms.profileToProfile(opaque, own, screen, outputMode="RGB"))
    except (ImageCms.PyCMSError, OSError):
        return picture
    if picture.mode == "RGBA":
        shown.putalpha(picture.getchannel("A"))
    return shown


def _pixels(picture: Image, name: str) -> torch.Tensor:
    import numpy
    from PIL import Image

    if picture.mode == "F":
        raise MediaError(f"{name} holds floating-point values of unknown range: save it as an 8- or 16-bit PNG.")
    if picture.mode in SIXTEEN_BIT:
        grey = torch.from_numpy(numpy.asarray(picture).astype(numpy.float32)) / 65535
        if grey.amax() > 1:
            raise MediaError(f"{name} holds 32-bit integers of unknown range: save it as an 8- or 16-bit PNG.")
        return grey.clamp(0, 1).expand(3, -1, -1).contiguous()
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return torch.from_numpy(numpy.array(picture.convert("RGB"))).permute(2, 0, 1).contiguous() / 255
