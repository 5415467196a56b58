"""Recordings that MM-Diffusion takes."""

from fractions import Fraction

import pytest
import torch

from aligner.errors import AlignerError
from aligner.generators.mm_diffusion import given
from aligner.generators.mm_diffusion.given import audio_latent, video_file_latent, video_latent
from aligner.media import read_frames, write_video

from .conftest import SMALL


def numbered(count: int, height: int = 16, width: int = 16) -> torch.Tensor:
    """Frames as bright as their number."""
    return (torch.arange(count) / 100).view(-1, 1, 1, 1).expand(-1, 3, height, width).contiguous()


@pytest.mark.parametrize(
    "fps, shown",
    [
        (Fraction(10), range(8)),
        (Fraction(20), range(0, 16, 2)),
        (Fraction(5), [0, 0, 1, 1, 2, 2, 3, 3]),
        (Fraction(24000, 1001), [0, 2, 4, 7, 9, 11, 14, 16]),
    ],
)
def test_the_frame_on_screen_is_taken(fps, shown):
    latent = video_latent(SMALL, numbered(24), fps)
    assert latent.shape[:2] == (1, 3) and latent.shape[3:] == (16, 16)
    numbers = ((latent[0, 0, :8, 0, 0] + 1) / 2 * 100).round().int().tolist()
    assert numbers == list(shown)


@pytest.fixture
def clip_file(tmp_path):
    """2 seconds of frames that grow brighter, at 24 a second."""
    frames = (numbered(48) * 2 * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    write_video(tmp_path / "clip.mp4", frames, Fraction(24))
    return tmp_path / "clip.mp4"


def test_a_file_is_taken_as_its_frames_are(clip_file):
    frames = read_frames(clip_file, range(48)).permute(0, 3, 1, 2) / 255
    assert torch.equal(video_file_latent(SMALL, clip_file), video_latent(SMALL, frames, Fraction(24)))


def test_of_a_file_only_the_seconds_that_are_needed_are_read(clip_file, monkeypatch):
    whole, read = video_file_latent(SMALL, clip_file), []
    original = given.shown_frames
    monkeypatch.setattr(
        given, "shown_frames", lambda source, indices: original(source, read.extend(indices) or indices)
    )
    part = video_file_latent(SMALL, clip_file, seconds=1.05)
    assert torch.equal(part, whole[:, :, :11]) and max(read) < 25


def test_a_longer_video_is_kept_whole():
    assert video_latent(SMALL, numbered(24), Fraction(10)).shape[2] == 24


def test_the_middle_is_cut_out_as_a_square():
    frames = torch.zeros(8, 3, 16, 48)
    frames[..., 16:32] = 1.0
    assert video_latent(SMALL, frames, Fraction(10)).mean() > 0.9


def test_a_sound_is_mono_at_the_rate_of_the_network_and_in_range():
    time = torch.arange(48_000) / 48_000
    stereo = torch.stack([(440 * 2 * torch.pi * time).sin(), torch.zeros(48_000)]) * 4
    latent = audio_latent(SMALL, stereo, 48_000)
    assert latent.shape == (1, 1, 16_000) and latent.abs().max() == 1.0


def test_what_is_too_short_is_refused_with_its_length():
    with pytest.raises(AlignerError, match=r"The video lasts 0.70 s, but this model takes clips of 0.8 s \(8 frames"):
        video_latent(SMALL, numbered(7), Fraction(10))
    with pytest.raises(AlignerError, match="The sound lasts 0.50 s, but this model takes clips of 0.8 s"):
        audio_latent(SMALL, torch.zeros(1, 8_000), 16_000)
