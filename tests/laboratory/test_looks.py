"""Pictures of the world: what moves, and when."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from aligner.demo.events import EVENTS
from laboratory.world import FPS, FRAMES, clip, scene, scene_of
from laboratory.world.looks import drawn
from laboratory.world.scenes import SIREN_TURN

TIMES = torch.arange(FRAMES, dtype=torch.float64) / FPS


def test_frames_have_the_documented_shape_and_range(development):
    for each in development:
        assert each.frames.shape == (16, 3, 64, 64) and each.frames.dtype == torch.float32
        assert each.frames.min() >= 0 and each.frames.max() <= 1
        assert each.frames.max() > 0.5 > each.frames.min() + 0.1  # neither dark nor without contrast


def test_the_same_scene_gives_the_same_bits(development):
    for each in development[:8]:
        assert torch.equal(clip(each.scene).frames, each.frames)


def test_two_clips_of_one_event_look_different(development):
    for one, other in zip(development[:8], development[8:16]):
        assert one.scene.event is other.scene.event
        assert (one.frames - other.frames).abs().mean() > 0.02


def test_nothing_moves_before_the_event(late):
    """A ball falls for less than a frame before it lands."""
    before = math.floor((late.scene.times[0] - 0.08) * FPS + 0.5)
    assert before >= 3
    assert torch.equal(late.frames[:before], late.frames[:1].expand(before, -1, -1, -1))
    assert (late.frames[before + 1] - late.frames[0]).abs().mean() > 0.005


def test_the_picture_changes_most_when_an_event_begins(late):
    """A frame shows the middle of its time on screen. A siren changes its colours several times."""
    begin, siren = late.scene.times[0], late.scene.event.name == "siren"
    firsts = [math.ceil((begin + k * SIREN_TURN) * FPS - 0.5) for k in range(3 if siren else 1)]
    changed = 1 + int(late.frames.diff(dim=0).abs().mean(dim=(1, 2, 3)).argmax())
    assert min(abs(changed - first) for first in firsts) <= 1


def test_every_event_looks_different():
    """Place and background are the same, so that only the events differ."""
    frames = torch.stack([clip(scene_of(event, "development", 5)).frames for event in EVENTS])
    for one in range(len(EVENTS)):
        for other in range(one):
            assert (frames[one] - frames[other]).abs().mean() > 0.015


@pytest.mark.parametrize("index", range(0, 8, 2))
def test_a_larger_picture_shows_the_same_scene(index):
    one = scene("development", index)
    small, large = drawn(one, TIMES, 64), drawn(one, TIMES, 256)
    assert large.shape == (16, 3, 256, 256)
    assert (F.interpolate(large, size=64, mode="area") - small).abs().mean() < 0.003
