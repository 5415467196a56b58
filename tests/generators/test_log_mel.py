"""The log-mel spectrograms that AudioLDM works on."""

from __future__ import annotations

import math

import pytest
import torch

from aligner.generators.audioldm.log_mel import FLOOR, log_mel

TIME = torch.arange(32000) / 16000


def test_a_frame_for_every_hop(normal_sound):
    assert log_mel(normal_sound).shape == (2, 200, 64)
    assert log_mel(normal_sound[:, :1600]).shape == (2, 10, 64)


@pytest.fixture
def normal_sound(seeded):
    return 0.2 * torch.randn(2, 32000, generator=seeded)


def test_silence_is_the_floor():
    assert torch.equal(log_mel(torch.zeros(1, 3200)), torch.full((1, 20, 64), math.log(FLOOR)))


def test_twice_the_amplitude_adds_log_2(normal_sound):
    quiet, loud = log_mel(normal_sound), log_mel(2 * normal_sound)
    assert quiet.min() > math.log(FLOOR)
    assert torch.allclose(loud - quiet, torch.tensor(math.log(2)), atol=1e-4)


def test_a_higher_tone_lies_in_a_higher_bin():
    bins = [
        int(log_mel((0.5 * torch.sin(2 * math.pi * hertz * TIME))[None])[0, 100].argmax())
        for hertz in (200, 500, 1000, 2000, 4000, 7000)
    ]
    assert bins == sorted(set(bins))
    # Slaney's scale is linear up to 1000 Hz and ends here at 8000 Hz, so that 1000 Hz lie a third up.
    assert bins[2] / 64 == pytest.approx(15 / (15 + math.log(8) / math.log(6.4) * 27), abs=0.02)


def test_a_hop_later_in_the_sound_is_a_frame_later(normal_sound):
    whole, later = log_mel(normal_sound), log_mel(normal_sound[:, 160:])
    assert torch.allclose(whole[:, 6:190], later[:, 5:189], atol=1e-4)


def test_bfloat16_is_not_for_spectrograms(normal_sound):
    with torch.autocast("cpu", torch.bfloat16):
        mixed = log_mel(normal_sound)
    assert torch.equal(mixed, log_mel(normal_sound))


def test_silence_has_a_gradient():
    sound = torch.zeros(1, 3200, requires_grad=True)
    log_mel(sound).sum().backward()
    assert sound.grad.isfinite().all()
