"""The bundled example inputs are what the demo promises, and their script still draws them."""

from __future__ import annotations

import torch

from aligner.demo.make_example import (FPS, PICTURE, PICTURED_FRAME, SECONDS, SOUND, VIDEO, bounces, frame_at, height_at,
                                       knocks)
from aligner.media import probe_video, read_audio, read_frames, read_image


def test_example_video_is_small_silent_and_four_seconds_long():
    info = probe_video(VIDEO)
    assert (info.width, info.height, info.fps, info.duration, info.codec) == (320, 180, 24, 4, "h264")
    assert not info.has_audio and VIDEO.stat().st_size < 100_000
    assert len(info.frame_times) == FPS * SECONDS


def test_example_files_show_what_the_script_draws():
    for number in (0, 12, 95):
        shown, drawn = read_frames(VIDEO, [number])[0].float(), frame_at(number / FPS).float()
        assert (shown - drawn).abs().mean() < 3
    picture, drawn = read_image(PICTURE), frame_at(PICTURED_FRAME / FPS).permute(2, 0, 1) / 255
    torch.testing.assert_close(picture, drawn, atol=1.5 / 255, rtol=0)
    assert PICTURE.stat().st_size < 60_000


def test_the_ball_bounces_ever_lower():
    heights = torch.tensor([height_at(step / 1000) for step in range(4000)])
    assert heights[0] > 100 and heights[500] < 1 and heights.min() >= 0
    inner = heights[1:-1]
    peaks = inner[(inner > heights[:-2]) & (inner >= heights[2:])]
    assert len(peaks) >= 5 and (peaks.diff() < 0).all()
    assert (heights.diff().abs() < 1).all(), "the ball jumps"


def test_the_sound_knocks_when_the_ball_meets_the_floor():
    waveform, rate = read_audio(SOUND)
    assert waveform.shape == (1, rate * SECONDS) and SOUND.stat().st_size < 200_000
    torch.testing.assert_close(waveform, knocks(), atol=1e-4, rtol=0)
    for moment, _ in bounces():
        start = round(moment * rate)
        before, after = (waveform[0, part].square().mean() for part in (slice(start - 400, start),
                                                                      slice(start, start + 400)))
        assert after > 3 * before and height_at(moment) < 1
