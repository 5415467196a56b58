"""A preview that is encoded once, however often it is sent."""

from io import BytesIO
from typing import Any

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

#: The largest side in pixels.
SIDE = 512
QUALITY = 85


class EncodedPreview(JpegImageFile):
    """A picture of at most 512 pixels as JPEG. ComfyUI saves every preview that it sends; here that copies the file."""

    file: bytes

    @classmethod
    def of(cls, picture: Image.Image) -> "EncodedPreview":
        """Encode a picture."""
        small = picture.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        file = BytesIO()
        small.save(file, "JPEG", quality=QUALITY)
        encoded = cls(BytesIO(file.getvalue()))
        encoded.file = file.getvalue()
        return encoded

    def save(self, fp: Any, format: str | None = None, **options: Any) -> None:
        if format == "JPEG":
            fp.write(self.file)
        else:
            super().save(fp, format, **options)
