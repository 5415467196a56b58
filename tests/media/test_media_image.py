"""Still pictures of every kind become RGB between 0 and 1."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from aligner.errors import MediaError
from aligner.media import read_image, write_image

GREY_16 = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5957  # 0 to 65527


def test_rgb(tmp_path):
    pixels = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture = read_image(tmp_path / "a.png")
    assert picture.dtype == torch.float32 and picture.is_contiguous()
    torch.testing.assert_close(picture, torch.from_numpy(pixels).permute(2, 0, 1) / 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_every_mode_becomes_rgb(tmp_path, mode, suffix):
    Image.new("RGB", (4, 3), "white").convert(mode).save(tmp_path / f"a{suffix}")
    torch.testing.assert_close(read_image(tmp_path / f"a{suffix}"), torch.ones(3, 3, 4))


def test_print_colours_become_rgb(tmp_path):
    Image.new("CMYK", (4, 3), (0, 0, 0, 0)).save(tmp_path / "a.tiff")
    torch.testing.assert_close(read_image(tmp_path / "a.tiff"), torch.ones(3, 3, 4))


@pytest.mark.parametrize("name, dtype", [("a.png", np.uint16), ("a.tiff", np.uint16), ("b.tiff", np.int32)])
def test_sixteen_bits_keep_their_precision(tmp_path, name, dtype):
    Image.fromarray(GREY_16.astype(dtype)).save(tmp_path / name)
    expected = torch.from_numpy(GREY_16 / 65535).float()
    torch.testing.assert_close(read_image(tmp_path / name), expected.expand(3, 3, 4))


def test_transparency_shows_white(tmp_path):
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 0, 0))
    picture.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[:, 0].T.tolist() == [[1, 0, 0], [1, 1, 1]]
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 255, 0, 255, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "b.png", transparency=1)
    assert read_image(tmp_path / "b.png")[:, 0].T.tolist() == [[0, 0, 1], [1, 1, 1]]


def test_exif_orientation_is_applied(tmp_path):
    picture = Image.new("RGB", (16, 8), "black")
    picture.paste("red", (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by 90 degrees
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    result = read_image(tmp_path / "a.jpg")
    assert result.shape == (3, 16, 8)
    assert result[0, :7].min() > 0.9 and result[0, 9:].max() < 0.1


def test_file_objects_animations_and_names(tmp_path):
    data = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(data, "PNG")
    data.seek(0)
    assert read_image(data).shape == (3, 2, 3)
    first, second = Image.new("RGB", (4, 4), "white"), Image.new("RGB", (4, 4), "black")
    first.save(tmp_path / "пёс ö.gif", save_all=True, append_images=[second])
    assert read_image(tmp_path / "пёс ö.gif").min() == 1


def test_real_picture(real_clip):
    assert read_image(real_clip("bird_image.jpg")).shape == (3, 855, 640)


def test_what_is_no_picture_says_so(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-40])
    for name in ("text.png", "cut.png"):
        with pytest.raises(MediaError, match=f"{name} cannot be read as a picture"):
            read_image(tmp_path / name)
    with pytest.raises(MediaError, match="missing.png is not a file"):
        read_image(tmp_path / "missing.png")
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(MediaError, match="floating-point"):
        read_image(tmp_path / "float.tiff")


@pytest.mark.parametrize("name, tolerance", [("a.png", 0.0), ("A.PNG", 0.0), ("a.jpg", 2 / 255), ("a.jpeg", 2 / 255)])
def test_a_written_picture_is_read_again(tmp_path, name, tolerance):
    pixels = torch.linspace(0, 255, 16 * 24).round().view(1, 16, 24).expand(3, -1, -1) / 255
    write_image(tmp_path / "new" / name, pixels)
    torch.testing.assert_close(read_image(tmp_path / "new" / name), pixels, atol=tolerance, rtol=0)


def test_values_are_rounded_and_clipped(tmp_path):
    write_image(tmp_path / "a.png", torch.tensor([-0.5, 0.4999 / 255, 0.5001 / 255, 7.0]).expand(3, 1, 4))
    assert (read_image(tmp_path / "a.png")[0, 0] * 255).tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(
    "name, pixels, message",
    [
        ("a.gif", torch.zeros(3, 4, 4), "a.gif: pictures are written as .png"),
        ("a.png", torch.zeros(4, 4, 3), r"shape \(3, height, width\)"),
        ("a.png", torch.zeros(3, 4, 4, dtype=torch.uint8), "torch.uint8"),
        ("a.png", torch.zeros(3, 0, 4), r"\(3, 0, 4\)"),
        ("a.png", torch.full((3, 4, 4), float("nan")), "NaN"),
    ],
)
def test_what_is_no_picture_is_not_written(tmp_path, name, pixels, message):
    with pytest.raises(MediaError, match=message):
        write_image(tmp_path / name, pixels)
    assert not list(tmp_path.iterdir())


def test_a_huge_photograph_is_scaled_while_it_is_decoded(tmp_path):
    from PIL import Image

    path = tmp_path / "huge.jpg"
    Image.new("RGB", (16320, 12240), (200, 40, 90)).save(path, quality=30)
    assert (
        _kilobytes("p = read_image(sys.argv[1]); assert max(p.shape) == 4096", path) - _kilobytes("", path) < 1_000_000
    )


def _kilobytes(code: str, path) -> int:
    """The most memory that a new Python takes for this code."""
    whole = (
        f"import resource, sys; from aligner.media import read_image\n{code}\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    return int(subprocess.run([sys.executable, "-c", whole, str(path)], capture_output=True, check=True).stdout)


def test_more_pixels_than_memory_holds_are_refused(tmp_path, monkeypatch):
    from PIL import Image

    from aligner.media import image

    monkeypatch.setattr(image, "MOST_PIXELS", 100)
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    with pytest.raises(MediaError, match="20 x 10 pixels: scale it down"):
        read_image(tmp_path / "a.png")
    assert Image.MAX_IMAGE_PIXELS


def test_32_bit_integers_are_refused(tmp_path):
    from PIL import Image

    Image.fromarray(np.full((4, 4), 2_000_000, np.int32)).save(tmp_path / "a.tiff")
    with pytest.raises(MediaError, match="32-bit integers of unknown range"):
        read_image(tmp_path / "a.tiff")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colour_profile_counts(tmp_path, suffix, mode):
    """A profile whose red and green are exchanged: what is stored as red is seen as green."""
    if suffix == ".jpg" and mode == "RGBA":
        pytest.skip("JPEG has no transparency")
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = {bytes(profile[132 + 12 * k : 136 + 12 * k]): 132 + 12 * k for k in range(profile[131])}
    red, green = entries[b"rXYZ"], entries[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    colour = (255, 0, 0, 255)[: len(mode)]
    path = tmp_path / f"a{suffix}"
    Image.new(mode, (32, 32), colour).save(
        path, icc_profile=bytes(profile), **({"lossless": True} if suffix == ".webp" else {})
    )
    assert (read_image(path)[:, 16, 16] - torch.tensor([0.0, 1.0, 0.0])).abs().max() < 0.05
    Image.new(mode, (32, 32), colour).save(path, icc_profile=b"no profile")
    assert (read_image(path)[:, 16, 16] - torch.tensor([1.0, 0.0, 0.0])).abs().max() < 0.05
