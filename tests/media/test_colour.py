"""Colours are those of a screen: matrix and range as stated, HDR as SDR, transparent parts white."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from aligner.media import add_sound, probe_video, read_frames, write_video
from tests.media.grading import HDR, graded

LIMITED, FULL = 1, 2
#: Matrix coefficients, primaries and transfer of H.273 belong together.
STANDARDS = {"BT.709": (1, 1, 1), "BT.601, 625 lines": (5, 5, 6), "BT.601, 525 lines": (6, 6, 6)}
LEFT, RIGHT = (250, 250, 250), (255, 0, 0)


def halves(height: int = 48, width: int = 64) -> np.ndarray:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2], picture[:, width // 2 :] = LEFT, RIGHT
    return picture


def assert_halves(frame, left=LEFT, right=RIGHT, tolerance: int = 12) -> None:
    height, width = frame.shape[:2]
    for place, colour in ((width // 4, left), (3 * width // 4, right)):
        assert np.abs(frame[height // 2, place].numpy().astype(int) - colour).max() <= tolerance, frame[height // 2]


def encode(path, frames, codec: str, pixel_format: str, tags: tuple[int, int, int] | None = None, **options: str):
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, pixel_format
        if tags:
            context = stream.codec_context
            context.colorspace, context.color_primaries, context.color_trc = tags
            context.color_range = frames[0].color_range
        for tick, frame in enumerate(frames):
            frame.pts, frame.time_base = tick, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", STANDARDS)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".mkv", "libx265"), (".webm", "libvpx-vp9")])
def test_matrix_and_range_are_those_that_the_file_states(tmp_path, name, full, suffix, codec):
    matrix, primaries, transfer = STANDARDS[name]
    source = av.VideoFrame.from_ndarray(halves(), format="rgb24")
    frame = source.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=FULL if full else LIMITED)
    frame.colorspace, frame.color_range = matrix, FULL if full else LIMITED
    path = encode(tmp_path / f"clip{suffix}", [frame, frame], codec, "yuv420p", (matrix, primaries, transfer))
    assert_halves(read_frames(path, [0])[0])


@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"])
def test_hdr_looks_like_the_picture_that_it_was_made_of(tmp_path, curve):
    path = encode(tmp_path / "hdr.mkv", graded([halves()] * 2, curve), "ffv1", "yuv420p10le", (9, 9, HDR[curve]))
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).color_trc == HDR[curve]
    assert_halves(read_frames(path, [0])[0], tolerance=20)
    add_sound(path, tmp_path / "out.mp4", torch.zeros(1, 3200), 16000)
    assert probe_video(tmp_path / "out.mp4").codec == "h264"
    assert_halves(read_frames(tmp_path / "out.mp4", [0])[0], tolerance=25)


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format"),
    [
        (".mov", "qtrle", "argb"),
        (".mov", "png", "rgba"),
        (".mov", "prores_ks", "yuva444p10le"),
        (".mkv", "ffv1", "yuva420p"),
        (".avi", "utvideo", "gbrap"),
        (".webm", "libvpx-vp9", "yuva420p"),
        (".webm", "libvpx", "yuva420p"),
        (".gif", "gif", None),
        (".apng", "apng", "rgba"),
    ],
)
def test_transparent_parts_are_white_in_every_codec(tmp_path, suffix, codec, pixel_format):
    picture = np.dstack([halves(), np.full((48, 64), 255, np.uint8)])
    picture[:, :32] = (20, 90, 30, 0)  # a colour that nobody sees
    path = tmp_path / f"clip{suffix}"
    if codec == "gif":
        from PIL import Image

        frames = [Image.fromarray(picture) for _ in range(3)]
        for tick, each in enumerate(frames):
            each.putpixel((63, 0), (tick * 80, 0, 0, 255))  # equal pictures would become one
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    else:
        frame = av.VideoFrame.from_ndarray(picture, format="rgba")
        with av.open(str(path), "w") as output:
            options = {"auto-alt-ref": "0"} if suffix == ".webm" else {}
            stream = output.add_stream(codec, rate=10, options=options)
            stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
            if suffix == ".webm":
                stream.metadata["alpha_mode"] = "1"
            for tick in range(3):
                each = frame.reformat(format=pixel_format)
                each.pts, each.time_base = tick, Fraction(1, 10)
                output.mux(stream.encode(each))
            output.mux(stream.encode(None))
    for shown in read_frames(path, [0, 2]):
        assert_halves(shown, left=(255, 255, 255), tolerance=16)


def test_a_written_video_has_the_colours_that_it_was_given(tmp_path):
    write_video(tmp_path / "clip.mp4", torch.from_numpy(np.stack([halves()] * 3)), 10)
    assert_halves(read_frames(tmp_path / "clip.mp4", [1])[0], tolerance=6)


@pytest.mark.parametrize(("primaries", "transfer"), [(12, 13), (9, 18)])
def test_transparent_parts_of_wide_colours_are_white_too(tmp_path, primaries, transfer):
    picture = np.zeros((48, 64, 4), np.uint8)
    picture[:, :32], picture[:, 32:] = (0, 230, 90, 0), (255, 0, 0, 255)
    frame = av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format="yuva444p10le")
    frame.color_range, frame.colorspace = LIMITED, 9
    frame.color_primaries, frame.color_trc = primaries, transfer
    path = encode(tmp_path / "a.mov", [frame], "prores_ks", "yuva444p10le", (9, primaries, transfer), profile="4444")
    shown = read_frames(path, [0])[0]
    assert (shown[24, 16] > 240).all()
    assert shown[24, 48, 0] > 200 and (shown[24, 48, 1:] < 90).all()


@pytest.mark.parametrize(("height", "matrix"), [(720, "ITU709"), (480, "ITU601")])
def test_a_matrix_that_is_not_stated_is_that_of_the_size(tmp_path, height, matrix):
    colour = (200, 60, 40)
    picture = np.full((height, 64, 3), colour, np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=matrix, dst_color_range="MPEG"
    )
    frame.colorspace = frame.color_range = 0
    path = encode(tmp_path / "untagged.mp4", [frame], "libx264", "yuv420p", qp="0")
    shown = read_frames(path, [0])[0, height // 2, 32].int()
    assert (shown - torch.tensor(colour)).abs().max() <= 4
