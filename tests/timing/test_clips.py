"""Cutting recordings into clips, against cases worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from aligner.errors import AlignerError
from aligner.timing.clips import CLIP_SAMPLINGS, clip_spans, frame_indices

RELEASED, UPSTREAM = CLIP_SAMPLINGS["seconds"], CLIP_SAMPLINGS["spread"]


@pytest.mark.parametrize(
    "duration, clip, count, starts",
    [
        (10, 1, 10, range(10)),
        (10.5, 1, 11, [Fraction(95, 100) * k for k in range(11)]),
        (9, 2, 3, [0, 3.5, 7]),
        (10, 2, 5, [0, 2, 4, 6, 8]),
        (5, 2, 1, [0]),
        (2, 2, 3, [0, 0, 0]),
        (0.4, 1, 1, [0]),
    ],
)
def test_spans_start_evenly_from_zero_to_the_last_whole_clip(duration, clip, count, starts):
    assert clip_spans(duration, clip, count) == [(start, start + clip) for start in starts]


def test_spans_are_exact():
    """int(start * rate) must be upstream's sample: 0.95 s is sample 15,200, not 15,199."""
    assert int(clip_spans(10.5, 1, 11)[1][0] * 16000) == 15200
    lengths = {int(end * 16000) - int(start * 16000) for start, end in clip_spans(10.002, 1, 10)}
    assert lengths == {16000}


@pytest.mark.parametrize(
    "duration, clip, count", [(0, 1, 1), (-1, 1, 1), (float("nan"), 1, 1), (float("inf"), 1, 1), (1, 0, 1), (1, 1, 0)]
)
def test_impossible_spans_are_refused(duration, clip, count):
    with pytest.raises(AlignerError):
        clip_spans(duration, clip, count)


@pytest.mark.parametrize(
    "duration, count", [(0.2, 1), (1, 1), (1.0000001, 1), (1.01, 2), (9.0, 9), (9.04, 10), (10.002, 11)]
)
def test_released_sampling_takes_a_clip_per_started_second(duration, count):
    assert RELEASED.video.count_for(duration) == RELEASED.audio.count_for(duration) == count
    assert len(RELEASED.audio.spans(duration)) == count


def test_the_asked_for_length_decides_about_generated_sound():
    spans = RELEASED.audio.spans(160_032 / 16_000, RELEASED.audio.count_for(10.0))
    assert len(spans) == 10
    assert spans[-1] == (Fraction(160_032 / 16_000 - 1), Fraction(160_032 / 16_000 - 1) + 1)


def test_upstream_sampling_takes_five_clips_of_video_and_three_of_sound():
    assert [float(start) for start, _ in UPSTREAM.video.spans(10)] == [0, 2, 4, 6, 8]
    assert [float(start) for start, _ in UPSTREAM.audio.spans(10)] == [0, 4, 8]
    assert UPSTREAM.frames_per_clip == RELEASED.frames_per_clip == 2


def test_frames_are_the_first_and_the_last_of_a_clip():
    times = [k / 8 for k in range(24)]
    assert frame_indices(times, clip_spans(3, 1, 3), 2).tolist() == [[0, 7], [8, 15], [16, 23]]


def test_more_frames_are_spread_evenly():
    times = [k / 8 for k in range(8)]
    assert frame_indices(times, clip_spans(1, 1, 1), 3).tolist() == [[0, 3, 7]]
    assert frame_indices(times, clip_spans(1, 1, 1), 1).tolist() == [[0]]


def test_rounded_time_stamps_stay_in_their_clip():
    """At 20 Hz frame 19 comes at the float 0.95, which is below 19 / 20, where the second clip starts."""
    times, spans = [k / 20 for k in range(210)], clip_spans(10.5, 1, 11)
    assert times[19] < spans[1][0]
    assert frame_indices(times, spans, 2).tolist() == [[19 * k, 19 * k + 19] for k in range(11)]


def test_odd_frame_rates():
    """At 29.97 Hz frame 29 comes at 0.968 s and frame 30 at 1.001 s."""
    times = [k * 1001 / 30000 for k in range(60)]
    assert frame_indices(times, clip_spans(2, 1, 2), 2).tolist() == [[0, 29], [30, 59]]


def test_a_clip_without_a_frame_shows_the_one_on_screen():
    assert frame_indices([0.0, 4.0], clip_spans(5, 1, 5), 2).tolist() == [[0, 0]] * 4 + [[1, 1]]


def test_a_clip_before_the_first_frame_shows_the_first():
    assert frame_indices([1.5], clip_spans(3, 1, 3), 2).tolist() == [[0, 0]] * 3


def test_one_frame_is_repeated():
    assert frame_indices([0.0], clip_spans(0.04, 1, 1), 2).tolist() == [[0, 0]]


def test_indices_are_integers_one_row_per_clip():
    indices = frame_indices(torch.arange(90) / 30, clip_spans(3, 2, 5), 2)
    assert indices.shape == (5, 2) and indices.dtype == torch.int64


@pytest.mark.parametrize("times", [[], [0.0, float("nan")], [1.0, 0.5]])
def test_impossible_frame_times_are_refused(times):
    with pytest.raises(AlignerError):
        frame_indices(times, clip_spans(1, 1, 1), 2)
