"""Optical flow of known shifts, and the peaks of motion."""

import math

import pytest
import torch
import torch.nn.functional as F

from aligner.errors import AlignerError
from aligner.metrics import (
    local_maxima,
    mean_flow,
    motion_curve,
    optical_flow,
    video_peaks,
)


def waves(count: int = 8) -> torch.Tensor:
    """Grey frames (count, 72, 96) of moving waves, rounded to integers."""
    y, x = torch.meshgrid(torch.arange(72, dtype=torch.float64), torch.arange(96, dtype=torch.float64), indexing="ij")
    frames = []
    for number in range(count):
        dx, dy = 3 * math.sin(number), 1.5 * math.cos(2 * number)
        frames.append(
            127.5
            + 40 * torch.sin((x - dx) / 4) * torch.cos((y - dy) / 5)
            + 40 * torch.sin((x + y - dx - dy) / 7)
            + 20 * torch.cos((x - dx) / 2.5 - (y - dy) / 3)
        )
    return torch.stack(frames).round().clamp(0, 255).float()


def coloured(frames: torch.Tensor) -> torch.Tensor:
    return frames.to(torch.uint8).unsqueeze(1).expand(-1, 3, -1, -1)


@pytest.mark.parametrize("right, down", [(2, -1), (-0.5, 0.25), (5, 3)], ids=["small", "part of a pixel", "large"])
def test_the_flow_of_a_shift_is_the_shift(seeded, right, down):
    rough = F.interpolate(torch.rand(1, 1, 40, 48, generator=seeded), scale_factor=4, mode="bicubic") * 255
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(128.0), indexing="ij")

    def view(left: float, top: float) -> torch.Tensor:
        places = torch.stack([2 * (x + left + 0.5) / 192 - 1, 2 * (y + top + 0.5) / 160 - 1], dim=-1)
        return F.grid_sample(rough, places[None], mode="bicubic", align_corners=False)[0, 0]

    flow = optical_flow(torch.stack([view(32, 32), view(32 - right, 32 - down)]))
    inner = flow[0, :, 20:-20, 20:-20]
    assert inner.mean(dim=(1, 2)).tolist() == pytest.approx([right, down], abs=0.1)


def test_about_as_much_motion_as_opencv_sees():
    # OpenCV 5.0: the mean length of calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    opencv = [3.280, 0.410, 3.323, 3.101, 1.174, 3.187, 2.981]
    assert mean_flow(waves()).tolist() == pytest.approx(opencv, rel=0.08)


@pytest.mark.parametrize("size", [(9, 9), (40, 300)])
def test_what_is_flat_or_still_does_not_move(seeded, size):
    flat = torch.stack([torch.full(size, level) for level in (0.0, 128.0, 255.0)])
    still = 255 * torch.rand(size, generator=seeded).expand(3, -1, -1)
    for frames in (flat, still):
        assert mean_flow(frames).tolist() == pytest.approx([0, 0], abs=1e-3)


def test_the_curve_has_one_value_per_frame_whatever_the_frames_come_as():
    frames, expected = waves(), mean_flow(waves()).double()
    curve = motion_curve(coloured(frames))
    torch.testing.assert_close(curve, torch.cat([expected[:1], expected]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(motion_curve(coloured(frames) / 255), curve, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(motion_curve(iter(coloured(frames))), curve, rtol=0, atol=0)


def test_long_videos_are_looked_at_in_parts(monkeypatch):
    whole = motion_curve(coloured(waves()))
    monkeypatch.setitem(motion_curve.__wrapped__.__globals__, "_PIXELS_AT_ONCE", 3 * 72 * 96)
    torch.testing.assert_close(motion_curve(coloured(waves())), whole)


def test_another_estimator_may_be_given():
    def brightness(frames):
        return frames.diff(dim=0).abs().mean(dim=(1, 2))

    frames = coloured(torch.tensor([0.0, 0, 0, 90, 90, 90, 20, 20]).view(-1, 1, 1).expand(-1, 12, 12))
    assert video_peaks(frames, 4, motion=brightness) == [0.75, 1.5]
    assert motion_curve(frames, motion=brightness).tolist() == pytest.approx([0, 0, 0, 90, 0, 0, 70, 0], abs=1e-3)


def test_a_maximum_is_higher_than_both_its_neighbours():
    assert local_maxima(torch.tensor([3.0, 3, 1, 2, 1, 2, 2, 1, 0, 5])) == [3]
    assert local_maxima(torch.tensor([5.0, 1])) == local_maxima(torch.zeros(0)) == []


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_video_too_short_to_have_peaks(count):
    frames = torch.zeros(count, 3, 16, 16)
    assert motion_curve(frames).tolist() == [0] * (count if count > 1 else 0) and video_peaks(frames, 8) == []


@pytest.mark.parametrize(
    "frames, fps, message",
    [
        (torch.zeros(3, 16, 16), 8, "RGB of shape"),
        (torch.zeros(3, 3, 16, 16, dtype=torch.int32), 8, "int32"),
        (torch.full((3, 3, 16, 16), torch.nan), 8, "NaN"),
        (torch.zeros(3, 3, 16, 16), 0, "frame rate"),
        ([torch.zeros(3, 16, 16), torch.zeros(3, 16, 17)], 8, "of one size"),
    ],
)
def test_what_is_no_video(frames, fps, message):
    with pytest.raises(AlignerError, match=message):
        video_peaks(frames, fps)
