"""Charts and spectrograms: the right pixels in the right places."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import ImageColor

from aligner.errors import AlignerError
from aligner.pictures import alignment_curve, mel_picture, spectrogram, spectrogram_with_axes
from aligner.pictures.chart import LINE_COLOURS
from aligner.pictures.spectrogram import height_of
from aligner.pictures.ticks import labels, round_numbers


def places_of(picture, colour: str) -> np.ndarray:
    """(n, 2) rows and columns of the pixels of one colour inside the plot, away from the legend."""
    rgb = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
    pixels = np.asarray(picture)
    plot = (np.abs(pixels.astype(int) - rgb).max(axis=2) < 25) & (np.arange(len(pixels)) > len(pixels) // 8)[:, None]
    return np.argwhere(plot)


def test_a_curve_rises_from_left_to_right():
    picture = alignment_curve({"guided": [step / 10 for step in range(11)]}, width=600, height=400)
    assert picture.mode == "RGB" and picture.size == (600, 400)
    line = places_of(picture, LINE_COLOURS[0])
    first, last = line[line[:, 1].argmin()], line[line[:, 1].argmax()]
    assert first[0] > 300 and last[0] < 120 and first[1] < 100 and last[1] > 540


def test_a_series_may_start_later_and_have_gaps():
    nan = float("nan")
    values = {
        "from the start": [0.0] * 21,
        "later": [(step, nan if step == 15 else 1.0) for step in range(10, 21)],
    }
    picture = alignment_curve(values, width=600, height=400)
    whole, later = (np.unique(places_of(picture, colour)[:, 1]) for colour in LINE_COLOURS[:2])
    middle = (whole.min() + whole.max()) / 2
    assert abs(later.min() - middle) < 8 and abs(later.max() - whole.max()) < 8
    assert np.diff(later).max() > 15 > np.diff(whole).max(), "the gap is closed, or the whole line is broken"


def test_one_point_and_a_flat_line_can_be_drawn():
    for values in ([0.5], [0.0, 0.0], [-3.0, -3.0, -3.0], [(7, 1e-9)]):
        assert len(places_of(alignment_curve({"x": values}), LINE_COLOURS[0])) > 5


@pytest.mark.parametrize("values", [{}, {"x": []}, {"x": [float("nan"), float("inf")]}])
def test_nothing_to_draw_gives_empty_axes(values):
    chart = alignment_curve(values)
    assert chart.size == (960, 540)
    assert not any(
        colour in {pixel for _, pixel in chart.crop((100, 90, 900, 450)).getcolors(2**20)}
        for colour in map(ImageColor.getrgb, LINE_COLOURS)
    )


def test_too_small_a_chart_says_so():
    with pytest.raises(AlignerError, match="at least"):
        alignment_curve({"x": [1.0, 2.0]}, width=100, height=100)


@pytest.mark.parametrize(
    "low, high, finest, expected",
    [
        (0.07, 0.41, 0, ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        (-1.0, 1.0, 0, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
        (0, 2, 1, ["0", "1", "2"]),
        (0.001, 0.0042, 0, ["0.001", "0.002", "0.003", "0.004", "0.005"]),
    ],
)
def test_axes_carry_round_numbers(low, high, finest, expected):
    assert list(labels(round_numbers(low, high, 5, finest))) == expected


def test_low_tones_are_at_the_bottom_and_silence_is_dark():
    rate = 16000
    seconds = torch.arange(rate) / rate
    low, high = (torch.sin(2 * torch.pi * pitch * seconds) for pitch in (200, 4000))
    pixels = np.asarray(spectrogram(torch.cat([low, torch.zeros(rate), high]), rate, 300, 100)).astype(int).sum(2)
    assert pixels.shape == (100, 300)
    assert pixels[:, 50].argmax() > 75 and pixels[:, 250].argmax() < 35
    assert pixels[:, 130:170].max() < 40, "silence is not dark"
    assert pixels.max() > 600, "the loudest place is not bright"


def test_a_quiet_sound_is_darker_than_a_loud_one_and_no_sound_changes_the_range():
    """The first estimates of a run are quiet noise."""
    noise = torch.randn(16000, generator=torch.Generator().manual_seed(0)).clamp(-3, 3) / 3
    means = [np.asarray(spectrogram(noise * 10 ** (-level / 20), 16000)).mean() for level in (0, 20, 40, 60, 80)]
    assert means == sorted(means, reverse=True) and means[0] < 200 and means[-1] < 5
    assert min(one - other for one, other in pairwise(means)) > 5
    quiet_first = torch.cat([noise * 0.01, noise])
    alone, beside = spectrogram(quiet_first[:16000], 16000, 200), spectrogram(quiet_first, 16000, 400)
    left = np.asarray(beside)[:, 20:180].astype(int).mean()
    assert left == pytest.approx(np.asarray(alone)[:, 20:180].astype(int).mean(), rel=0.05)


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("pitch", [500, 1000, 2000, 4000])
def test_a_tone_stands_where_the_axis_says(rate, pitch):
    tone = torch.sin(2 * torch.pi * pitch * torch.arange(rate) / rate)
    pixels = np.asarray(spectrogram(tone, rate, 100, 800)).astype(int).sum(2)
    rows = np.flatnonzero(pixels[:, 50] > 0.9 * pixels[:, 50].max())
    assert abs(rows.mean() + 0.5 - 800 * (1 - height_of(pitch, rate))) < 10, "further off than a bin"


@pytest.mark.parametrize("rate, seconds", [(16000, 0.3), (16000, 10.0), (44100, 120.0)])
def test_axes_stand_around_the_spectrogram(rate, seconds):
    loud = torch.ones(int(rate * seconds))
    picture = spectrogram_with_axes(loud, rate)
    assert picture.size == (512, 256)
    inner = picture.crop((62, 10, 512 - 18, 256 - 26))
    assert inner == spectrogram(loud, rate, *inner.size)
    left, below = (np.asarray(picture.convert("L").crop(box)) for box in ((0, 0, 60, 256), (62, 231, 494, 256)))
    assert (left < 128).any(axis=1).sum() > 50 and (below < 128).any(axis=0).sum() > 60


def test_silence_alone_is_dark_however_short():
    for length in (1, 100, 16000):
        assert np.asarray(spectrogram(torch.zeros(length), 16000)).max() <= 4


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_every_band_has_a_filter(rate):
    noise = torch.randn(rate, generator=torch.Generator().manual_seed(0))
    pixels = np.asarray(spectrogram(noise, rate, 64, 80)).astype(int).sum(2)
    assert pixels.mean(axis=1).min() > 150, "a band of the spectrogram stays empty under noise"


def test_mel_picture_shows_what_a_vocoder_would_hear():
    mel = torch.full((50, 64), -11.5129)  # ln 1e-5: silence
    assert np.asarray(mel_picture(mel)).max() <= 4
    mel[25:, :8] = 0.0
    pixels = np.asarray(mel_picture(mel, 100, 64)).astype(int).sum(2)
    assert pixels[60, 75] > 690 and pixels[60, 20] < 15 and pixels[20, 75] < 15
    mel[0, 0] = float("nan")
    assert np.asarray(mel_picture(mel, 100, 64)).astype(int).sum(2)[60, 75] > 690


@pytest.mark.parametrize("seconds, columns", [(1, 512), (10, 512), (60, 1875)])
def test_a_preview_computes_about_as_many_columns_as_it_shows(monkeypatch, seconds, columns):
    """This keeps it fast. The windows of long sounds overlap a little, so that they cover every sample."""
    seen, original = [], torch.stft
    monkeypatch.setattr(torch, "stft", lambda *args, **kwargs: seen.append(original(*args, **kwargs)) or seen[0])
    spectrogram(torch.zeros(16000 * seconds), 16000, width=512)
    assert len(seen) == 1 and columns <= seen[0].shape[1] <= 1.1 * columns


def test_shapes_that_are_no_sound_say_so():
    for waveform in (torch.zeros(2, 100), torch.zeros(0)):
        with pytest.raises(AlignerError, match="one channel"):
            spectrogram(waveform, 16000)
    for mel in (torch.zeros(3), torch.zeros(0, 64)):
        with pytest.raises(AlignerError, match="frames, bins"):
            mel_picture(mel)
