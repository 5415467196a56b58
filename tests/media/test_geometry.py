"""Pictures stand on a screen as players show them: pixel aspect and the whole display matrix."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from aligner.media import add_sound, probe_video, read_frames
from aligner.media.geometry import Geometry

#: Matrices (a, b, c, d) of all ways to lay a rectangle onto a screen, and what numpy makes of the stored picture.
MATRICES = {
    "upright": ((1, 0, 0, 1), lambda stored: stored),
    "a quarter clockwise": ((0, 1, -1, 0), lambda stored: np.rot90(stored, -1)),
    "half a turn": ((-1, 0, 0, -1), lambda stored: np.rot90(stored, 2)),
    "a quarter counter-clockwise": ((0, -1, 1, 0), lambda stored: np.rot90(stored, 1)),
    "left and right exchanged": ((-1, 0, 0, 1), lambda stored: stored[:, ::-1]),
    "top and bottom exchanged": ((1, 0, 0, -1), lambda stored: stored[::-1]),
    "axes exchanged": ((0, 1, 1, 0), lambda stored: stored.swapaxes(0, 1)),
    "axes exchanged the other way": ((0, -1, -1, 0), lambda stored: np.rot90(stored.swapaxes(0, 1), 2)),
}
HEIGHT, WIDTH = 32, 64


@pytest.fixture
def corners(tmp_path):
    """An MP4 whose stored picture is red at the top left and blue at the bottom left, and that picture."""
    stored = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stored[: HEIGHT // 2, : WIDTH // 2] = (255, 0, 0)
    stored[HEIGHT // 2 :, : WIDTH // 2] = (0, 0, 255)
    return write(tmp_path / "corners.mp4", stored), stored


def write(path, picture, aspect: Fraction | None = None, codec: str = "libx264"):
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], "yuv420p"
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        for tick in range(3):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = tick, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", MATRICES)
def test_the_whole_display_matrix_counts(corners, turn, tmp_path, name):
    path, stored = corners
    matrix, displayed = MATRICES[name]
    turn(path, matrix)
    expected = torch.from_numpy(np.ascontiguousarray(displayed(stored))).float()
    info = probe_video(path)
    assert (info.height, info.width) == tuple(expected.shape[:2])
    assert (read_frames(path, [0])[0].float() - expected).abs().mean() < 8
    # What is written is stored upright.
    add_sound(path, tmp_path / "out.mp4", torch.zeros(1, 1920), 16000)
    assert probe_video(tmp_path / "out.mp4").geometry == Geometry(info.width, info.height)
    assert (read_frames(tmp_path / "out.mp4", [0])[0].float() - expected).abs().mean() < 8


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "libx264"),
        (".mkv", "mpeg4"),
        (".mov", "libx264"),
        (".avi", "mpeg4"),
        (".ts", "libx264"),
    ],
)
@pytest.mark.parametrize("aspect", [Fraction(64, 45), Fraction(16, 11), Fraction(3, 4)])
def test_a_disc_is_a_disc(tmp_path, suffix, codec, aspect):
    """The stored picture is squeezed; a screen shows a disc that is as wide as high."""
    stored = disc(round(96 / max(1, aspect)), round(96 * min(1, aspect)))
    path = write(tmp_path / f"disc{suffix}", stored, aspect, codec)
    assert_round(read_frames(path, [0])[0])
    info = probe_video(path)
    assert (info.width, info.height) == pytest.approx((96, 96), abs=1)
    add_sound(path, tmp_path / "out.mp4", torch.zeros(1, 1920), 16000)
    with av.open(str(tmp_path / "out.mp4")) as output:
        stream = output.streams.video[0]
        assert float(stream.width * (stream.sample_aspect_ratio or 1) / stream.height) == pytest.approx(1, abs=0.04)
    assert_round(read_frames(tmp_path / "out.mp4", [0])[0])


def test_the_containers_aspect_counts_where_the_bitstream_has_none(tmp_path):
    """pasp of an MP4 is 16 bytes: a length, its name, and two numbers."""
    path = write(tmp_path / "disc.mp4", disc(68, 96), Fraction(3, 4))
    data = path.read_bytes()
    place = data.index(b"pasp")
    path.write_bytes(data[: place + 4] + (24).to_bytes(4, "big") + (17).to_bytes(4, "big") + data[place + 12 :])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.sample_aspect_ratio != stream.sample_aspect_ratio
    assert_round(read_frames(path, [0])[0])
    add_sound(path, tmp_path / "out.mp4", torch.zeros(1, 1920), 16000)
    assert_round(read_frames(tmp_path / "out.mp4", [0])[0])


def test_an_aspect_that_cannot_be_is_left_alone(tmp_path):
    path = write(tmp_path / "odd.mkv", disc(96, 96), Fraction(1000, 1))
    assert probe_video(path).geometry == Geometry(96, 96)


def test_h264_that_is_stored_as_displayed_is_copied_with_its_aspect(tmp_path):
    path = write(tmp_path / "disc.mp4", disc(68, 96), Fraction(24, 17))
    assert probe_video(path).copyable
    add_sound(path, tmp_path / "out.mp4", torch.zeros(1, 1920), 16000)
    first, second = (
        [bytes(packet) for packet in container.demux(video=0) if packet.size]
        for container in map(av.open, (str(path), str(tmp_path / "out.mp4")))
    )
    assert first == second
    assert probe_video(tmp_path / "out.mp4").geometry == Geometry(96, 96)


def disc(width: int, height: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    inside = ((columns + 0.5) / width - 0.5) ** 2 + ((rows + 0.5) / height - 0.5) ** 2 < 0.3**2
    return np.repeat(inside[..., None] * np.uint8(255), 3, axis=2)


def assert_round(picture: torch.Tensor) -> None:
    bright = picture.float().mean(dim=2) > 128
    width, height = bright.any(dim=0).sum().item(), bright.any(dim=1).sum().item()
    assert abs(width - height) <= 3 and width > 40
