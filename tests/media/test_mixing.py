"""A new sound with the sound that a clip has."""

from __future__ import annotations

import math

import pytest
import torch

from aligner.errors import AlignerError
from aligner.media.mixing import DUCK, MIX, REPLACE, mixed

RATE = 16000


def tone(hertz: float, seconds: float = 2.0, level: float = 0.25, rate: int = RATE) -> torch.Tensor:
    return level * torch.sin(2 * math.pi * hertz * torch.arange(round(seconds * rate)) / rate)[None]


def level(waveform: torch.Tensor, hertz: float, begin: float, end: float) -> float:
    """The amplitude of a tone in a part of a sound, in dB of full scale. The part holds whole periods."""
    part = waveform.mean(dim=0)[round(begin * RATE) : round(end * RATE)]
    turns = torch.exp(-2j * math.pi * hertz * torch.arange(len(part)) / RATE)
    return 20 * math.log10(2 * (part * turns).mean().abs().item() + 1e-9)


HUM = tone(200)
#: Silent, but from 0.5 s to 1 s.
BEEP = torch.cat([torch.zeros(1, RATE // 2), tone(800, 0.5), torch.zeros(1, RATE)], dim=1)


def test_replacing_leaves_the_new_sound_alone():
    sound, rate = mixed(BEEP, RATE, (HUM, RATE), REPLACE)
    assert torch.equal(sound, BEEP) and rate == RATE


def test_mixing_is_the_sum():
    sound, _ = mixed(BEEP, RATE, (HUM, RATE), MIX)
    torch.testing.assert_close(sound, BEEP + HUM)


def test_gains_are_decibels():
    sound, _ = mixed(BEEP, RATE, (HUM, RATE), MIX, gain=6.0, original_gain=-20.0)
    assert level(sound, 800, 0.6, 0.9) == pytest.approx(20 * math.log10(0.25) + 6, abs=0.05)
    assert level(sound, 200, 0.6, 0.9) == pytest.approx(20 * math.log10(0.25) - 20, abs=0.05)


def test_ducking_lowers_the_other_while_the_new_sound_is_heard_and_lets_it_return():
    sound, _ = mixed(BEEP, RATE, (HUM, RATE), DUCK)
    before, during, after = (level(sound, 200, begin, begin + 0.2) for begin in (0.2, 0.75, 1.75))
    assert before - during > 10 and during > -40
    assert after == pytest.approx(before, abs=0.1)
    assert level(sound, 800, 0.6, 0.9) == pytest.approx(20 * math.log10(0.25), abs=0.05)


def test_ducking_keeps_every_sample_in_its_place():
    quiet = torch.zeros(1, HUM.shape[1])
    sound, _ = mixed(quiet, RATE, (HUM, RATE), DUCK)
    torch.testing.assert_close(sound, HUM)


@pytest.mark.parametrize("mode", [MIX, DUCK])
def test_the_higher_rate_the_longer_sound_and_all_channels_win(mode):
    stereo = torch.cat([tone(200, 3.0, rate=48000), tone(300, 3.0, rate=48000)])
    sound, rate = mixed(BEEP, RATE, (stereo, 48000), mode)
    assert rate == 48000 and sound.shape == (2, 144000)
    torch.testing.assert_close(sound[:, 120000:], stereo[:, 120000:])


@pytest.mark.parametrize("mode", [REPLACE, MIX, DUCK])
def test_a_silent_clip_gets_the_new_sound(mode):
    sound, rate = mixed(BEEP, RATE, None, mode, gain=-6.0)
    torch.testing.assert_close(sound, BEEP * 10 ** (-6 / 20))
    assert rate == RATE


def test_what_is_no_mode_and_no_sound_is_refused():
    with pytest.raises(AlignerError, match="'loud'. Choose one of: replace, mix, duck"):
        mixed(BEEP, RATE, (HUM, RATE), "loud")
    with pytest.raises(AlignerError, match="NaN"):
        mixed(BEEP, RATE, (HUM * math.nan, RATE), MIX)
