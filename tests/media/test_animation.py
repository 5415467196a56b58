"""Pictures that move, in every format that holds them, and stills in the same formats."""

from __future__ import annotations

import io

import pytest
from PIL import ExifTags, Image, features

from aligner.media import probe_video, read_frames, read_image

COUNT, MILLISECONDS = 6, 100


def frames(mode: str = "RGB") -> list[Image.Image]:
    return [Image.new(mode, (64, 48), (40 * index, 0, 0, 255)[: len(mode)]) for index in range(COUNT)]


def save(path, pictures: list[Image.Image]):
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=MILLISECONDS, loop=0)
    return path


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".avif"])
def test_all_frames_are_seen_at_their_times(tmp_path, suffix):
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    path = save(tmp_path / f"moving{suffix}", frames())
    info = probe_video(path)
    assert info.frame_times.tolist() == pytest.approx([index * MILLISECONDS / 1000 for index in range(COUNT)])
    assert float(info.duration) == pytest.approx(COUNT * MILLISECONDS / 1000)
    reds = read_frames(path, range(COUNT))[:, 24, 32, 0].tolist()
    assert reds == pytest.approx([40 * index for index in range(COUNT)], abs=6)


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".gif", ".png"])
def test_transparent_parts_of_an_animation_are_white(tmp_path, suffix):
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    pictures = frames("RGBA")
    for picture in pictures:
        picture.paste((0, 90, 200, 0), (0, 0, 32, 48))
    path = save(tmp_path / f"moving{suffix}", pictures)
    shown = read_frames(path, [1, 4])
    assert (shown[:, 24, 8] > 245).all() and shown[:, 24, 56, 0].tolist() == pytest.approx([40, 160], abs=8)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".bmp", ".tiff", ".gif"])
def test_a_still_is_a_video_of_one_frame(tmp_path, suffix):
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    path = tmp_path / f"still{suffix}"
    Image.new("RGB", (64, 48), (200, 100, 0)).save(path)
    info = probe_video(path)
    assert len(info.frame_times) == 1 and (info.width, info.height) == (64, 48)
    assert read_frames(path, [0])[0, 20, 20].tolist() == pytest.approx([200, 100, 0], abs=8)


def test_an_animation_may_be_a_file_object(tmp_path):
    data = io.BytesIO(save(tmp_path / "moving.webp", frames()).read_bytes())
    assert len(probe_video(data).frame_times) == COUNT
    assert read_frames(data, [5]).shape == (1, 48, 64, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_still_is_as_upright_among_frames_as_alone(tmp_path, suffix, orientation):
    picture = Image.new("RGB", (64, 32))
    for place, colour in (((0, 0), "red"), ((32, 0), "lime"), ((0, 16), "blue"), ((32, 16), "white")):
        picture.paste(colour, (*place, place[0] + 32, place[1] + 16))
    path = tmp_path / f"still{suffix}"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture.save(path, exif=exif)
    alone = read_image(path).permute(1, 2, 0) * 255
    (frame,) = read_frames(path, [0])
    assert frame.shape == alone.shape
    for row in (0.25, 0.75):
        for column in (0.25, 0.75):
            place = int(row * frame.shape[0]), int(column * frame.shape[1])
            assert (frame[place].float() - alone[place]).abs().max() < 30


def test_a_frame_without_a_duration_lasts_a_tenth_of_a_second(tmp_path):
    path, pictures = tmp_path / "moving.webp", frames()
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 0, 100, 200, 50, 50])
    assert probe_video(path).frame_times.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.5, 0.55])


def test_a_huge_picture_is_read_as_a_video_too(tmp_path):
    Image.new("L", (14000, 14000)).save(tmp_path / "huge.webp", lossless=True, quality=0, method=0)
    assert probe_video(tmp_path / "huge.webp").width == 14000
