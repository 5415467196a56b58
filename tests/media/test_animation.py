"""Pictures that move, in every format that holds them, and stills in the same formats."""

from __future__ import annotations

import io

import pytest
from PIL import Image, features

from aligner.media import probe_video, read_frames

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
