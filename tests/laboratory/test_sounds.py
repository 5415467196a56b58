"""Sounds of the world: their times, levels and pitches."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from aligner.demo.events import EVENTS
from aligner.metrics import audio_onsets, av_align, video_peaks
from laboratory.world import SAMPLE_RATE, SAMPLES, clip, scene_of
from laboratory.world.scenes import SIREN_TURN
from laboratory.world.sounds import played

BY_NAME = {event.name: event for event in EVENTS}
#: The lowest and the highest dominant pitch, in Hz.
PITCHES = {
    "ball": (100, 200),
    "square": (900, 1600),
    "triangle": (400, 900),
    "star": (1800, 2400),
    "siren": (800, 1000),
    "ring": (200, 300),
}
TONAL = pytest.mark.parametrize("name", PITCHES)
MOMENT = round(0.06 * SAMPLE_RATE)


def event_sound(name: str, pitch: float, index: int = 0) -> torch.Tensor:
    """The sound of the first event of a clip alone."""
    one = replace(scene_of(BY_NAME[name], "development", index), pitch=pitch)
    first = round(one.times[0] * SAMPLE_RATE)
    return played(one, SAMPLES)[first : first + round(one.event.seconds * SAMPLE_RATE)]


def steady(name: str, sound: torch.Tensor) -> torch.Tensor:
    """The part of an event that has one pitch."""
    seconds = {"triangle": 0.01, "siren": SIREN_TURN}.get(name)
    return sound[: round(seconds * SAMPLE_RATE)] if seconds else sound


def strongest(sound: torch.Tensor) -> int:
    """The frequency with the largest magnitude, in Hz."""
    return int(torch.fft.rfft(sound, SAMPLE_RATE).abs().argmax())


def test_sounds_have_the_documented_shape_and_range(development):
    for each in development:
        assert each.waveform.shape == (32000,) and each.waveform.dtype == torch.float32
        assert each.waveform.abs().max() <= 1
        assert each.waveform.abs().max() == pytest.approx(each.scene.loudness, abs=0.01)


def test_the_same_scene_gives_the_same_bits(development):
    for each in development[:8]:
        assert torch.equal(clip(each.scene).waveform, each.waveform)


def test_two_clips_of_one_event_sound_different(development):
    for one, other in zip(development[:8], development[8:16]):
        assert (one.waveform - other.waveform).abs().mean() > 0.01


def test_every_event_is_loud_from_its_beginning_to_its_end_alone(development):
    for each in development:
        for begin in each.scene.times:
            first = round(begin * SAMPLE_RATE)
            last = first + round(each.scene.event.seconds * SAMPLE_RATE)
            before, within, after = (
                each.waveform[start : start + MOMENT].square().mean().log10().mul(10).item()
                for start in (first - MOMENT, first, last)
            )
            assert within > before + 40 and within > after + 40


@TONAL
def test_pitches_are_multiples_of_100_hertz(name):
    for pitch in (0.1, 0.3, 0.5, 0.7, 0.9):
        sound = event_sound(name, pitch)
        if name == "triangle":  # every hop has its own pitch, and whole periods have energy at one frequency alone
            power = torch.fft.rfft(sound.unfold(0, 160, 160)[1:-1]).abs().square()
            assert (power.amax(dim=1) / power.sum(dim=1)).min() > 0.99
        else:
            assert (strongest(steady(name, sound)) + 3) % 100 <= 6


@TONAL
def test_pitches_cover_their_range(name):
    found = [strongest(steady(name, event_sound(name, pitch))) for pitch in (0.0, 0.999)]
    assert found == pytest.approx(PITCHES[name], abs=6)


def test_a_bell_has_three_partials_that_fit_into_a_hop():
    spectrum = torch.fft.rfft(event_sound("star", 0.0), SAMPLE_RATE).abs()
    for pitch in (1800, 2900, 4900):
        around = spectrum[pitch - 50 : pitch + 51]
        assert abs(int(around.argmax()) - 50) <= 3 and around.max() > 20 * spectrum[pitch + 50]


@pytest.mark.parametrize("name", ["square", "siren", "ring"])
def test_tones_have_the_same_phase_in_every_hop(name):
    """All clips share one clock, so that a vocoder with a hop of 10 ms can learn the phase."""
    waves = [steady(name, event_sound(name, 0.4, index)).unfold(0, 160, 160)[2:-2] for index in range(3)]
    waves = torch.cat([wave / wave.abs().max() for wave in waves])
    assert (waves - waves[0]).abs().max() < 0.01


@pytest.mark.parametrize("name, low, high", [("rain", 2400, 7600), ("fire", 0, 1500)])
def test_noises_stay_within_their_band(name, low, high):
    power = torch.fft.rfft(event_sound(name, 0.5), SAMPLE_RATE).abs().square()
    assert power[low:high].sum() > 0.95 * power.sum()
    # The energy of noise is spread over many frequencies, unlike that of a tone.
    assert power.max() < 0.05 * power.sum()


def test_av_align_prefers_the_right_pairs(development):
    heard = [audio_onsets(each.waveform, SAMPLE_RATE) for each in development]
    seen = [video_peaks(each.frames, 8) for each in development]

    def agreement(shift: int) -> float:
        scores = [av_align(sound, seen[(k + shift) % len(seen)], 8).matched for k, sound in enumerate(heard)]
        return math.fsum(scores) / len(scores)

    shuffled = [agreement(shift) for shift in range(1, len(seen))]
    assert agreement(0) > 0.4 > 0.25 > math.fsum(shuffled) / len(shuffled)
    assert agreement(0) > max(shuffled) + 0.1
