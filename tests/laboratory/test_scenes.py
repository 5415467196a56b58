"""Scenes, drawn at random from a split and a number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aligner.demo.events import EVENTS
from aligner.errors import AlignerError
from laboratory.world import SECONDS, SPLITS, scene, scene_of

EACH_EVENT = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)


def test_the_same_split_and_number_give_the_same_scene():
    assert scene("train", 5) == scene("train", 5)


def test_no_two_clips_are_the_same_in_any_split():
    drawn = {scene_of(EVENTS[0], split, index) for split in SPLITS for index in range(200)}
    assert len(drawn) == 200 * len(SPLITS)
    assert len({each.noise_seed for each in drawn}) == len(drawn)


def test_events_take_turns():
    assert [scene("test", index).event for index in range(16)] == [*EVENTS, *EVENTS]


def test_there_are_eight_events_with_different_names():
    assert len({event.name for event in EVENTS}) == len(EVENTS) == 8


def test_another_event_keeps_the_rest_of_the_scene():
    own, other = scene("test", 3), scene_of(EVENTS[5], "test", 3)
    assert other.event is EVENTS[5]
    assert replace(other, event=own.event, times=own.times) == own


@pytest.mark.parametrize("split, index, spelled", [("validation", 0, "'validation'"), ("test", -1, "-1")])
def test_an_unknown_split_or_number_is_refused(split, index, spelled):
    with pytest.raises(AlignerError) as caught:
        scene(split, index)
    assert spelled in str(caught.value)


@EACH_EVENT
def test_events_lie_on_the_grid_and_do_not_overlap(event):
    for index in range(200):
        times = scene_of(event, "train", index).times
        ticks = [round(time * 100) for time in times]
        assert [tick / 100 for tick in ticks] == list(times)
        lasts = round(event.seconds * 100)
        assert ticks[0] >= 10 and ticks[-1] + lasts <= SECONDS * 100 - 10
        assert all(second - first >= lasts + 20 for first, second in zip(ticks, ticks[1:]))


@EACH_EVENT
def test_events_begin_at_any_time_and_a_third_of_clips_has_two(event):
    drawn = [scene_of(event, split, index).times for split in ("train", "judge") for index in range(200)]
    assert {len(times) for times in drawn} == {1, 2}
    assert 0.27 < sum(len(times) == 2 for times in drawn) / len(drawn) < 0.43
    single = [times[0] for times in drawn if len(times) == 1]
    room = SECONDS - event.seconds
    assert min(single) < 0.12 + 0.1 * room and max(single) > 0.88 * room


def test_all_other_values_cover_their_ranges():
    drawn = [scene("train", index) for index in range(300)]
    for name, low, high in (("x", 0, 1), ("y", 0, 1), ("size", 0, 1), ("pitch", 0, 1), ("loudness", 0.6, 0.9)):
        values = [getattr(each, name) for each in drawn]
        margin = 0.03 * (high - low)
        assert low <= min(values) < low + margin and high - margin < max(values) <= high
    assert {each.turn for each in drawn} == {-1, 1}
    assert all(0 <= part <= 1 for each in drawn for part in (*each.top, *each.bottom))
    assert len({each.top for each in drawn}) == len({each.bottom for each in drawn}) == 300
