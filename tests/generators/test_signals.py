"""What can be told of a rendered stream before anything is compared."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from aligner.generators.signals import Frames, LatentFrames, Sound, silences
from aligner.pictures import spectrogram

RATE = 16000


def tone(seconds: float, level: float) -> torch.Tensor:
    """(1, n): a sine of 1 kHz whose root mean square is so many decibels of full scale."""
    times = torch.arange(int(seconds * RATE)) / RATE
    return (math.sqrt(2) * 10 ** (level / 20) * torch.sin(2 * math.pi * 1000 * times))[None]


@pytest.mark.parametrize("level, silent", [(-59.5, False), (-60.5, True)])
@pytest.mark.parametrize("seconds", [0.02, 2.0])
def test_60_decibels_below_full_scale_are_silence(level, silent, seconds):
    assert Sound(tone(seconds, level), RATE, int(seconds * RATE)).silent.tolist() == [silent]


@pytest.mark.parametrize("place", [0.0, 4.99, 9.99])
def test_a_click_is_heard_however_long_the_sound_is(place):
    waveform = torch.zeros(2, 10 * RATE)
    click = tone(0.005, -30)
    start = int(place * RATE)
    waveform[0, start : start + click.shape[1]] = click
    assert Sound(waveform, RATE, 10 * RATE).silent.tolist() == [False, True]


def test_only_sounds_can_be_silent():
    sound, video = Sound(torch.zeros(1, RATE), RATE, RATE), Frames(torch.zeros(1, 2, 3, 8, 8), 8)
    assert silences({"audio": sound, "video": video}).keys() == {"audio"}


def test_a_sound_is_pictured_by_the_spectrogram_of_its_first_sample():
    waveform = torch.cat([tone(1, -6), torch.zeros(1, RATE)]).requires_grad_()
    picture = Sound(waveform, RATE, RATE).picture()
    assert picture == spectrogram(waveform[0], RATE) != spectrogram(waveform[1], RATE)


@pytest.mark.parametrize("frames, middle", [(1, 0), (2, 1), (5, 2)])
def test_a_video_is_pictured_by_the_middle_frame_of_its_first_sample(frames, middle):
    pixels = torch.rand(2, frames, 3, 6, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    picture = np.asarray(Frames(pixels, Fraction(8)).picture())
    assert picture.shape == (6, 8, 3)
    assert np.abs(picture / 255 - pixels[0, middle].permute(1, 2, 0).detach().numpy()).max() <= 0.5001 / 255


def test_a_picture_decodes_one_frame():
    decoded = []

    def decode(latents: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        decoded.append(latents)
        return latents.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    latents = torch.rand(2, 3, 7, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    video = LatentFrames(latents, Fraction(8), decode, decode)
    picture = video.picture()
    assert len(decoded) == 1 and torch.equal(decoded[0], latents[:1, :, 3])
    assert picture == video.finished().picture()


def doubled(latents: torch.Tensor) -> torch.Tensor:
    return latents.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


@pytest.mark.parametrize(
    "frames, fps, shown, rate", [(1, 8, 1, 8), (16, 8, 16, 8), (48, 24, 24, 12), (320, 8, 32, 0.8), (1, 60, 1, 60)]
)
def test_a_film_takes_as_long_as_its_video_in_few_pictures(frames, fps, shown, rate):
    pixels = torch.linspace(0, 1, frames).view(1, -1, 1, 1, 1).expand(2, frames, 3, 4, 6)
    film = Frames(pixels, Fraction(fps)).film()
    assert len(film.pictures) == shown and film.fps == pytest.approx(rate)
    levels = [np.asarray(picture).max() for picture in film.pictures]
    assert levels == sorted(set(levels)), "pictures are not in order"
    assert film.pictures[0].size == (6, 4)


def test_a_film_of_latents_is_that_of_its_frames():
    latents = torch.rand(2, 3, 7, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    video = LatentFrames(latents, Fraction(8), doubled, doubled)
    assert video.film() == video.finished().film()


@pytest.mark.parametrize("frames, side", [(16, 64), (32, 96), (500, 64)])
def test_a_film_decodes_no_more_than_two_large_pictures(frames, side):
    decoded = []

    def decode(latents: torch.Tensor) -> torch.Tensor:
        decoded.append(latents[:, 0].numel())
        return latents

    film = LatentFrames(torch.rand(1, 3, frames, side, side), Fraction(8), decode, decode).film()
    assert 0.5 * 2 * 64 * 64 < sum(decoded) <= 2 * 64 * 64
    assert len(film.pictures) == min(frames, 32)
