"""AV-Align's peaks by OpenCV and librosa."""

import sys

import pytest
import torch

from aligner.errors import AlignerError
from aligner.metrics.published_peaks import published_audio_peaks, published_video_peaks

RATE, FPS = 16_000, 8.0


def clicks(*moments: float) -> torch.Tensor:
    time = torch.arange(2 * RATE) / RATE
    since = torch.stack([time - moment for moment in moments])
    return ((since > 0) * (-since.clamp(min=0) / 0.03).exp() * (2 * torch.pi * 900 * since).sin()).sum(dim=0)


def jumps(*frames: int, by: int = 4) -> torch.Tensor:
    """16 frames of a textured square that jumps aside at some of them: (16, 3, 48, 64) uint8."""
    texture = torch.randint(256, (24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    shown = torch.full((16, 3, 48, 64), 90, dtype=torch.uint8)
    for number in range(16):
        left = 20 + by * sum(number >= frame for frame in frames)
        shown[number, :, 12:36, left : left + 24] = texture
    return shown


def test_clicks_are_heard_where_they_are():
    heard = published_audio_peaks(clicks(0.5, 1.25), RATE)
    assert heard == pytest.approx([0.5, 1.25], abs=0.06)
    assert published_audio_peaks(torch.zeros(RATE), RATE) == []


def test_jumps_are_seen_where_they_are():
    assert published_video_peaks(jumps(4, 10), FPS) == [4 / FPS, 10 / FPS]
    assert published_video_peaks(jumps(), FPS) == published_video_peaks(jumps()[:1], FPS) == []


def test_a_motion_of_less_than_a_tenth_of_a_pixel_is_no_peak():
    frames = torch.full((16, 3, 480, 640), 90, dtype=torch.uint8)
    frames[:, :, :48, :64] = jumps(4, by=2)
    assert published_video_peaks(frames, FPS) == []


@pytest.mark.parametrize("library, package", [("librosa", "librosa"), ("cv2", "opencv-python-headless")])
def test_without_a_library_a_sentence_says_what_to_install(monkeypatch, library, package):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(AlignerError, match=rf"{library} cannot be imported .*pip install {package}"):
        published_audio_peaks(clicks(0.5), RATE) if library == "librosa" else published_video_peaks(jumps(4), FPS)
