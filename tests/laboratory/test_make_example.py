"""The bundled example inputs have the documented properties, and their script still draws them."""

from __future__ import annotations

import pytest
import torch

from aligner.demo.examples import EXAMPLE_EVENTS, EXAMPLE_IMAGE, EXAMPLE_SOUND, EXAMPLE_VIDEO
from aligner.media import probe_video, read_audio, read_frames, read_image
from laboratory import make_example
from laboratory.make_example import (
    FPS,
    FRAMES,
    SIDE,
    example,
    frames,
    pictured,
)
from laboratory.world import SAMPLE_RATE, SECONDS, clip


def test_the_example_video_is_small_silent_and_as_long_as_a_clip():
    info = probe_video(EXAMPLE_VIDEO)
    assert (info.width, info.height, info.fps, info.duration, info.codec) == (SIDE, SIDE, FPS, SECONDS, "h264")
    assert not info.has_audio and EXAMPLE_VIDEO.stat().st_size < 100_000
    assert len(info.frame_times) == FRAMES


def test_the_example_files_show_the_drawn_frames():
    drawn = frames()
    for number in (0, 7, 15):
        assert (read_frames(EXAMPLE_VIDEO, [number])[0].float() - drawn[number].float()).abs().mean() < 3
    torch.testing.assert_close(
        read_image(EXAMPLE_IMAGE), drawn[pictured()].permute(2, 0, 1) / 255, atol=1.5 / 255, rtol=0
    )
    assert EXAMPLE_IMAGE.stat().st_size < 60_000


def test_the_script_writes_the_three_example_files(tmp_path, monkeypatch):
    names = {"EXAMPLE_VIDEO": "example.mp4", "EXAMPLE_IMAGE": "example.png", "EXAMPLE_SOUND": "example.wav"}
    for constant, name in names.items():
        assert getattr(make_example, constant).name == name
        monkeypatch.setattr(make_example, constant, tmp_path / name)
    make_example.main()
    assert {path.name for path in tmp_path.iterdir()} == set(names.values())
    assert read_audio(tmp_path / "example.wav")[0].equal(read_audio(EXAMPLE_SOUND)[0])


def test_the_large_frames_show_the_scene_of_the_small_clip():
    small = clip(example()).frames
    shrunk = torch.nn.functional.interpolate(frames().permute(0, 3, 1, 2) / 255, small.shape[-2:], mode="area")
    assert (shrunk - small).abs().mean() < 0.02


def test_the_events_of_the_example_are_those_of_its_scene():
    assert pytest.approx(example().times, abs=0.005) == EXAMPLE_EVENTS


def test_the_sound_begins_with_the_event():
    waveform, rate = read_audio(EXAMPLE_SOUND)
    assert rate == SAMPLE_RATE and waveform.shape == (1, rate * SECONDS) and EXAMPLE_SOUND.stat().st_size < 100_000
    torch.testing.assert_close(waveform[0], clip(example()).waveform, atol=1e-4, rtol=0)
    start = round(example().times[0] * rate)
    before, after = (
        waveform[0, part].square().mean() for part in (slice(start - 400, start), slice(start, start + 400))
    )
    assert after > 10 * before


def test_the_picture_shows_the_event():
    begun = pictured() / FPS - example().times[0]
    assert 0 <= begun <= example().event.seconds
