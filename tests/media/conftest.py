"""Small generated media files in which each frame and each channel is distinct."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

REAL_CLIPS = Path(__file__).resolve().parents[3] / "shared" / "media"


@pytest.fixture
def real_clip():
    """The path of one of the project's real clips; skips the test if it is missing."""

    def find(name: str) -> Path:
        path = REAL_CLIPS / name
        if not path.is_file():
            pytest.skip(f"{name} is not in ../shared/media: this check needs a real clip")
        return path

    return find


def grey_of(index: int) -> int:
    """The brightness of frame `index`: far enough from its neighbours to survive compression."""
    return 30 + 12 * index


@pytest.fixture
def index_of():
    """The number that `make_video` gave to a decoded frame."""
    return lambda frame: round((float(frame.float().mean()) - 30) / 12)


@pytest.fixture
def make_video():
    return _make_video


def _make_video(
    path: Path,
    ticks=range(10),
    time_base: Fraction = Fraction(1, 25),
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    sound: tuple[int, int] | None = None,
    rate: Fraction = Fraction(25),
    **options: str,
) -> Path:
    """A video of grey frames, each a little brighter than the one before; `sound`: (sample rate, samples).

    `ticks`: presentation times in units of `time_base`. `rate`: the frame rate that the file states.
    """
    pixel_format = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format if codec != "mjpeg" else "yuvj420p"
        stream.codec_context.time_base = time_base
        speaker = output.add_stream("aac", rate=sound[0], layout="mono") if sound else None
        for index, tick in enumerate(ticks):
            pixels = np.full((size[1], size[0], 3), grey_of(index), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = tick, time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if speaker:
            frame = av.AudioFrame.from_ndarray(np.full((1, sound[1]), 0.25, np.float32), format="fltp", layout="mono")
            frame.sample_rate = sound[0]
            output.mux(speaker.encode(frame))
            output.mux(speaker.encode(None))
    return path


@pytest.fixture
def make_sound():
    """A sound file with one tone per channel; returns its path and the waveform."""

    def make(path: Path, codec: str, channels: int, layout: str, rate: int, samples: int, sample_format: str):
        time = np.arange(samples) / rate
        tones = np.stack([0.5 * np.sin(2 * np.pi * 200 * (1 + channel) * time) for channel in range(channels)])
        scale, dtype, offset = {
            "u8": (127, np.uint8, 128),
            "s16": (32767, np.int16, 0),
            "s32": (2147483647, np.int32, 0),
            "flt": (1, np.float32, 0),
            "dbl": (1, np.float64, 0),
            "fltp": (1, np.float32, 0),
            "s16p": (32767, np.int16, 0),
        }[sample_format]
        values = (tones * scale + offset).astype(dtype)
        packed = values if sample_format.endswith("p") else np.ascontiguousarray(values.T).reshape(1, -1)
        with av.open(str(path), "w") as output:
            stream = output.add_stream(codec, rate=rate, layout=layout, format=sample_format)
            frame = av.AudioFrame.from_ndarray(packed, format=sample_format, layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path, torch.from_numpy(tones).float()

    return make


@pytest.fixture
def turn():
    """Write a display matrix into an MP4: PyAV reads it but cannot write it. Degrees stand for clockwise turns."""
    turns = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}

    def rewrite(path: Path, matrix: int | tuple[int, int, int, int]) -> Path:
        data = bytearray(path.read_bytes())
        a, b, c, d = (value << 16 for value in (turns[matrix] if isinstance(matrix, int) else matrix))
        place = data.index(b"tkhd") + 44  # version-0 track header: the matrix follows 40 bytes of other fields
        data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        path.write_bytes(data)
        return path

    return rewrite
