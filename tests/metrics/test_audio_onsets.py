"""Onsets of synthetic sounds, compared with librosa's."""

import pytest
import torch

from aligner.errors import AlignerError
from aligner.metrics import audio_onsets

#: (start in seconds, pitch in Hz) of each tone.
TONES = [(0.4, 440), (0.9, 1200), (1.0, 300), (1.75, 2500), (2.3, 700), (2.36, 1900)]


def tones(rate: int) -> torch.Tensor:
    """3 s of decaying tones over a hum."""
    time = torch.arange(3 * rate, dtype=torch.float64) / rate
    sound = 0.01 * torch.sin(2 * torch.pi * 100 * time)
    for number, (begin, hertz) in enumerate(TONES):
        since = (time - begin).clamp(min=0)
        sound += 0.3 / (1 + number % 3) * torch.sin(2 * torch.pi * hertz * since) * torch.exp(-since / 0.08)
    return sound.float()


def test_the_same_hops_as_librosa():
    # librosa 0.11: onset_detect(y=tones(22050), sr=22050)
    assert audio_onsets(tones(22050), 22050) == pytest.approx([hop * 512 / 22050 for hop in (18, 39, 44, 76, 100, 103)])


@pytest.mark.parametrize("rate", [16000, 44100])
def test_other_sample_rates_hear_the_same_moments(rate):
    assert audio_onsets(tones(rate), rate) == pytest.approx([begin for begin, _ in TONES], abs=0.05)


def test_the_level_does_not_matter():
    assert audio_onsets(0.05 * tones(22050), 22050) == audio_onsets(tones(22050), 22050)


@pytest.mark.parametrize("sound", [torch.zeros(22050), torch.zeros(1)], ids=["silence", "a single sample"])
def test_silence_has_none(sound):
    assert audio_onsets(sound, 22050) == []


@pytest.mark.parametrize(
    "sound, rate, message",
    [
        (torch.zeros(2, 100), 16000, r"\(2, 100\)"),
        (torch.zeros(0), 16000, "not empty"),
        (torch.zeros(100, dtype=torch.int16), 16000, "int16"),
        (torch.full((100,), torch.nan), 16000, "NaN"),
        (torch.zeros(100), 0, "sample rate"),
    ],
)
def test_what_is_no_sound(sound, rate, message):
    with pytest.raises(AlignerError, match=message):
        audio_onsets(sound, rate)
