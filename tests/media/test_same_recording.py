"""One recording, stored in several ways, is one recording: the same embeddings and the same timing.

-m slow compares with a random ImageBind of full size.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from aligner.conditions.encoding import audio_condition, video_condition
from aligner.demo.family import load_demo_imagebind
from aligner.media import probe_video, read_audio, read_frames
from aligner.metrics import audio_onsets, av_align, local_maxima, motion_curve
from tests.media.grading import HDR, graded

RATE, FPS, COUNT = 16000, 10, 30
HEIGHT, WIDTH = 96, 128
HITS = (5, 13, 22)  # frames at which a ball jumps and something clicks


def pictures() -> list[np.ndarray]:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    drawn = []
    for number in range(COUNT):
        place = 20 + 22 * sum(number >= hit for hit in HITS)
        picture = np.full((HEIGHT, WIDTH, 3), (60, 90, 70), np.uint8)
        picture[(columns - place) ** 2 + (rows - 40) ** 2 < 300] = (230, 50, 40)
        drawn.append(picture)
    return drawn


def sound() -> np.ndarray:
    wave = np.zeros((1, COUNT * RATE // FPS), np.float32)
    for hit in HITS:
        click = 0.7 * np.sin(2 * np.pi * 700 * np.arange(1600) / RATE) * np.linspace(1, 0, 1600)
        wave[0, hit * RATE // FPS : hit * RATE // FPS + 1600] = click
    return wave


def encoded(
    path: Path, frames, *, codec="libx264", pixel_format="yuv420p", tags=None, delay: float = 0.0, late: float = 0.0
):
    """delay: of everything. late: of the sound, whose begin is left out."""
    with av.open(str(path), "w") as output:
        video = output.add_stream(codec, rate=FPS, options={"qp": "0", "bf": "0"} if codec == "libx264" else {})
        video.width, video.height, video.pix_fmt = frames[0].width, frames[0].height, pixel_format
        video.codec_context.time_base = Fraction(1, 1000)
        if tags:
            context = video.codec_context
            context.colorspace, context.color_primaries, context.color_trc, context.color_range = tags
        audio = output.add_stream("flac" if path.suffix == ".mkv" else "aac", rate=RATE, layout="mono")
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = round(1000 * (number / FPS + delay)), Fraction(1, 1000)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        wave = sound()[:, round(late * RATE) :]
        if path.suffix == ".mkv":
            wave, form = (wave * 32767).astype(np.int16), "s16"
        else:
            form = "fltp"
        frame = av.AudioFrame.from_ndarray(wave, format=form, layout="mono")
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = round((delay + late) * RATE)
        output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
    return path


def plain(drawn, **changes):
    return [
        av.VideoFrame.from_ndarray(np.ascontiguousarray(each), format="rgb24").reformat(**changes) for each in drawn
    ]


def yuv(drawn):
    frames = plain(drawn, format="yuv420p", dst_colorspace=1, dst_color_range=1)
    for frame in frames:
        frame.colorspace, frame.color_range = 1, 1
    return frames


def original(folder: Path, turn) -> Path:
    return encoded(folder / "original.mp4", yuv(pictures()), tags=(1, 1, 1, 1))


def in_another_container(suffix: str):
    def made(folder: Path, turn) -> Path:
        path = folder / f"other{suffix}"
        with av.open(str(original(folder, turn))) as source, av.open(str(path), "w") as output:
            streams = {each.index: output.add_stream_from_template(each, opaque=True) for each in source.streams}
            for packet in source.demux():
                if packet.size:
                    packet.stream = streams[packet.stream.index]
                    output.mux(packet)
        return path

    return made


def turned(folder: Path, turn) -> Path:
    drawn = [np.rot90(each, 1) for each in pictures()]
    return turn(encoded(folder / "turned.mp4", yuv(drawn), tags=(1, 1, 1, 1)), 90)


def mirrored(folder: Path, turn) -> Path:
    drawn = [each[:, ::-1] for each in pictures()]
    return turn(encoded(folder / "mirrored.mp4", yuv(drawn), tags=(1, 1, 1, 1)), (-1, 0, 0, 1))


def delayed(folder: Path, turn) -> Path:
    return encoded(folder / "delayed.ts", yuv(pictures()), tags=(1, 1, 1, 1), delay=3.2)


def with_late_sound(folder: Path, turn) -> Path:
    return encoded(folder / "late.mp4", yuv(pictures()), tags=(1, 1, 1, 1), late=0.448)


def full_range(folder: Path, turn) -> Path:
    frames = plain(pictures(), format="yuv420p", dst_colorspace=1, dst_color_range=2)
    for frame in frames:
        frame.colorspace, frame.color_range = 1, 2
    return encoded(folder / "full.mp4", frames, tags=(1, 1, 1, 2))


def hdr(folder: Path, turn) -> Path:
    """Perceptual quantiser and the primaries of BT.2020."""
    frames = graded(pictures(), "smpte2084")
    tags = (9, 9, HDR["smpte2084"], 1)
    return encoded(folder / "hdr.mkv", frames, codec="ffv1", pixel_format="yuv420p10le", tags=tags)


WAYS = {
    "Matroska": in_another_container(".mkv"),
    "QuickTime": in_another_container(".mov"),
    "transport stream": in_another_container(".ts"),
    "turned by its matrix": turned,
    "mirrored by its matrix": mirrored,
    "both streams later": delayed,
    "sound that begins later": with_late_sound,
    "full range": full_range,
    "HDR": hdr,
}


def full_imagebind():
    from aligner.binders.imagebind.config import HUGE
    from laboratory.random_imagebind import random_imagebind

    return random_imagebind(HUGE, seed=0)


@pytest.fixture(scope="module", params=[load_demo_imagebind, pytest.param(full_imagebind, marks=pytest.mark.slow)])
def binder(request):
    return request.param()


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_store_a_recording_gives_the_same(tmp_path, turn, binder, way):
    one, other = original(tmp_path, turn), WAYS[way](tmp_path, turn)
    # The toy sees small changes of colour: converted to HDR and back, values differ by 3 of 255.
    alike = 0.998 if way == "HDR" and binder.vision.projection.weight.shape[0] < 1024 else 0.999
    assert cosine(video_condition(binder, one), video_condition(binder, other)) >= alike
    assert cosine(*(audio_condition(binder, *read_audio(path)) for path in (one, other))) >= 0.999
    first, second = met(one), met(other)
    assert first.matched == pytest.approx(1) and second.matched == pytest.approx(first.matched)
    assert second.video_peaks == pytest.approx(first.video_peaks, abs=0.01)
    assert second.audio_peaks == pytest.approx(first.audio_peaks, abs=0.07)


def cosine(first, second) -> float:
    return torch.cosine_similarity(first.embedding.mean(), second.embedding.mean()).item()


def met(path: Path):
    """AV-Align of a file with its own sound."""
    info, (waveform, rate) = probe_video(path), read_audio(path)
    frames = read_frames(path, range(len(info.frame_times))).permute(0, 3, 1, 2)
    times = info.frame_times[local_maxima(motion_curve(iter(frames)))].tolist()
    return av_align(audio_onsets(waveform.mean(dim=0), rate), times, float(info.fps))
