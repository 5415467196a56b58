"""Onset curves and their agreement, on clips whose events are known."""

import math

import pytest
import torch

from aligner.errors import AlignerError
from aligner.synchrony import (
    TICKS_PER_SECOND,
    has_onsets,
    heard_in_a_circle,
    heard_onsets,
    seen_onsets,
    synchrony,
)
from laboratory.world import FPS, SAMPLE_RATE, clip, scene

SECONDS, RATE, FAST = 4, 16_000, 25
EVENTS = (0.8, 1.6, 3.0)


def clicks(times, rate=RATE, seconds=SECONDS):
    """Short tones that begin at these times: (1, n)."""
    clock = torch.arange(seconds * rate) / rate
    beeps = sum(
        torch.where(clock >= begin, (-(clock - begin) / 0.05).exp(), torch.zeros(())) * (700 * math.tau * clock).sin()
        for begin in times
    )
    return 0.5 * beeps[None] + 1e-4 * torch.randn(1, len(clock), generator=torch.Generator().manual_seed(0))


def flashes(times, fps=FAST, seconds=SECONDS):
    """A square that lights up at these times and fades: (1, F, 3, 32, 32)."""
    clock = (torch.arange(seconds * fps) + 0.5) / fps
    light = torch.zeros(len(clock))
    for begin in times:
        light += torch.where(clock >= begin, (-(clock - begin) / 0.2).exp(), torch.zeros(()))
    frames = torch.full((1, len(clock), 3, 32, 32), 0.2)
    frames[..., 8:24, 8:24] += 0.6 * light[None, :, None, None, None].clamp(max=1)
    return frames


def best_shift(one: torch.Tensor, other: torch.Tensor) -> float:
    """The seconds by which one must come later to agree best."""
    shifts = range(-one.shape[1] // 2, one.shape[1] // 2)
    found = [synchrony(one.roll(shift, 1), other).item() for shift in shifts]
    return shifts[found.index(max(found))] / TICKS_PER_SECOND


def scores(moved: float, fps: float = FAST) -> float:
    heard = heard_onsets(clicks([begin + moved for begin in EVENTS]), RATE)
    return synchrony(heard, seen_onsets(flashes(EVENTS, fps), fps)).item()


@pytest.mark.parametrize("rate, seconds", [(RATE, 2), (44_100, 2), (RATE, 0.4)])
def test_a_sound_moved_in_a_circle_has_the_moved_curve(rate, seconds):
    """Also where it begins at once: moved, it has an onset there."""
    sound = clicks([0.0], rate)[:, : int(seconds * rate)]
    curve = heard_in_a_circle(sound, rate)
    assert curve.shape == heard_onsets(sound, rate).shape and curve.roll(3, 1)[0, :6].max() > 0.5
    moved = heard_in_a_circle(sound.roll(rate // 5, 1), rate)
    torch.testing.assert_close(moved, curve.roll(TICKS_PER_SECOND // 5, 1), atol=0.02, rtol=0)


def test_noise_does_not_begin_where_a_recording_does():
    noise = 0.1 * torch.randn(16, RATE, generator=torch.Generator().manual_seed(0))
    assert not has_onsets(heard_onsets(noise, RATE)).any()


def test_offsets_are_told_apart():
    by_offset = [scores(offset) for offset in (0.0, 0.04, 0.12, 0.4)]
    assert by_offset[0] > 0.75
    assert by_offset[0] > by_offset[1] + 0.05 and by_offset[1] > by_offset[2] + 0.2
    assert by_offset[3] < 0.05
    assert scores(-0.12) < by_offset[0] - 0.2


@pytest.mark.parametrize("fps", [8, 24, 30, 60])
def test_the_frame_rate_does_not_move_onsets(fps):
    heard, seen = heard_onsets(clicks(EVENTS), RATE), seen_onsets(flashes(EVENTS, fps), fps)
    assert abs(best_shift(heard, seen)) <= 0.03


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_the_sample_rate_does_not_move_onsets(rate):
    heard = heard_onsets(clicks(EVENTS, rate), rate)
    assert heard.shape == (1, SECONDS * TICKS_PER_SECOND)
    assert synchrony(heard, heard_onsets(clicks(EVENTS), RATE)) > 0.9


@pytest.mark.parametrize("offset", [-0.5, -0.12, 0.3])
def test_the_best_shift_undoes_an_offset(offset):
    heard = heard_onsets(clicks([begin + offset for begin in EVENTS]), RATE)
    assert abs(best_shift(heard, seen_onsets(flashes(EVENTS), FAST)) + offset) < 0.035


def test_moments_count_by_their_strength():
    heard, seen = heard_onsets(clicks([0.8, 1.6]), RATE), heard_onsets(clicks([0.8, 3.0]), RATE)
    early = (torch.arange(heard.shape[1]) < 120).float()
    assert synchrony(heard, seen) < 0.6 and synchrony(heard, seen, early) > 0.95
    assert synchrony(heard, seen, 1 - early) < 0.05
    assert synchrony(heard, heard_onsets(clicks([3.0]), RATE), early) == 0, "nothing begins where it counts"


def test_nothing_is_claimed_where_nothing_begins():
    draw = torch.Generator().manual_seed(2)
    rain = 0.1 * torch.randn(1, SECONDS * RATE, generator=draw)
    # The fade-in of a sound that begins at once is no event.
    silence, still = torch.zeros(1, SECONDS * RATE), flashes([])
    grain = (still + 0.02 * torch.randn(still.shape, generator=draw)).clamp(0, 1)
    steady = heard_onsets(rain, RATE)
    assert steady.max() < 0.01 and not has_onsets(heard_onsets(silence, RATE))
    assert not has_onsets(seen_onsets(still, FAST)) and not has_onsets(seen_onsets(grain, FAST))
    assert synchrony(steady, seen_onsets(flashes(EVENTS), FAST)) < 0.05


@pytest.mark.parametrize("fps", [8, 25, 60])
def test_a_steady_pan_begins_nothing(fps):
    picture = torch.rand(1, 3, 32, 256, generator=torch.Generator().manual_seed(5))
    shifts = [round(40 * number / fps) for number in range(SECONDS * fps)]
    frames = torch.stack([picture.roll(shift, 3)[..., :32] for shift in shifts], dim=1)
    assert not has_onsets(seen_onsets(frames, fps))


def test_what_has_no_time_has_no_onsets():
    nothing, picture = torch.rand(1, 0), seen_onsets(torch.rand(1, 1, 3, 8, 8), FAST)
    assert picture.shape == (1, 0) and not has_onsets(nothing)
    assert synchrony(torch.rand(1, 50), nothing) == 0
    assert seen_onsets(torch.rand(1, 2, 3, 8, 8), 1000).shape == (1, 1)


def test_an_animation_on_twos_has_the_onsets_of_its_pictures():
    """Every picture is shown twice, so that every other difference is nothing."""
    slow = seen_onsets(flashes(EVENTS, 12), 12)
    assert synchrony(seen_onsets(flashes(EVENTS, 12).repeat_interleave(2, dim=1), 24), slow) > 0.8
    drifting = torch.rand(1, 48, 3, 32, 32, generator=torch.Generator().manual_seed(3)).repeat_interleave(2, dim=1)
    assert not has_onsets(seen_onsets(drifting, 24))


def test_the_clips_of_the_world_are_in_sync_and_others_of_the_same_event_are_not():
    clips = [clip(scene("development", index)) for index in range(32)]
    heard = heard_onsets(torch.stack([each.waveform for each in clips]), SAMPLE_RATE)
    seen = seen_onsets(torch.stack([each.frames for each in clips]), FPS)
    assert synchrony(heard, seen).mean() > 0.6
    assert synchrony(heard, seen.roll(8, 0)).mean() < 0.3


def test_gradients_agree_with_finite_differences():
    waveform = clicks(EVENTS).double()[:, : 2 * RATE].requires_grad_()
    frames = flashes(EVENTS).double()[:, : 2 * FAST].requires_grad_()

    def score(waveform, frames):
        return synchrony(heard_onsets(waveform, RATE), seen_onsets(frames, FAST)).sum()

    score(waveform, frames).backward()
    draw = torch.Generator().manual_seed(4)
    step = 1e-6
    for signal in (waveform, frames):
        direction = torch.randn(signal.shape, generator=draw, dtype=torch.float64)
        with torch.no_grad():
            ends = [
                score(*(each + sign * step * direction if each is signal else each for each in (waveform, frames)))
                for sign in (1, -1)
            ]
        expected = (signal.grad * direction).sum()
        assert expected.abs() > 1e-6
        torch.testing.assert_close((ends[0] - ends[1]) / (2 * step), expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_enough(dtype):
    whole = heard_onsets(clicks(EVENTS), RATE), seen_onsets(flashes(EVENTS), FAST)
    half = heard_onsets(clicks(EVENTS).to(dtype), RATE), seen_onsets(flashes(EVENTS).to(dtype), FAST)
    for one, other in zip(whole, half):
        assert other.dtype == torch.float32 and synchrony(one, other) > 0.95


def test_other_inputs_are_refused():
    with pytest.raises(AlignerError, match="Onsets are heard in floats"):
        heard_onsets(torch.zeros(5), RATE)
    with pytest.raises(AlignerError, match="Onsets are seen in floats"):
        seen_onsets(torch.zeros(1, 4, 3, 8, 8, dtype=torch.uint8), FAST)
    with pytest.raises(AlignerError, match="frame rate must be above 0"):
        seen_onsets(torch.zeros(1, 4, 3, 8, 8), 0)
    with pytest.raises(AlignerError, match="shape"):
        synchrony(torch.zeros(5), torch.zeros(1, 5))
