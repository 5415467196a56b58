"""What can be told of a rendered stream before anything is compared."""

import math

import pytest
import torch

from aligner.generators.signals import Frames, Sound, silences

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
