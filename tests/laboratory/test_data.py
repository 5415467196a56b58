"""Clips as tensors, drawn once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from aligner.demo.events import EVENTS
from laboratory.training import data
from laboratory.training.data import Clips, clips
from laboratory.world import clip, scene

ROWS = torch.tensor([6, 1])


def test_tensors_equal_the_drawn_clips_up_to_rounding(few_clips):
    for row, pixels, sound in zip(ROWS.tolist(), few_clips.pixels(ROWS), few_clips.sounds(ROWS)):
        drawn = clip(scene("development", row))
        assert few_clips.scenes[row] == drawn.scene
        assert (pixels - drawn.frames).abs().max() <= 0.5 / 255 + 1e-6
        assert (sound - drawn.waveform).abs().max() <= 0.5 / 32767 + 1e-6
    assert len(few_clips) == 8 and few_clips.events.tolist() == list(range(8))


def test_clips_are_drawn_once(tmp_path, monkeypatch):
    """Only the first eight are drawn again, to check that the file is still right."""
    first = clips("test", 10, tmp_path)
    eight = [scene("test", index) for index in range(8)]
    monkeypatch.setattr(data, "clip", lambda one: clip(one) if one in eight else pytest.fail("drawn again"))
    again = clips("test", 10, tmp_path)
    assert torch.equal(again.frames, first.frames) and torch.equal(again.waveforms, first.waveforms)
    assert again.scenes == first.scenes


def test_a_failure_while_drawing_leaves_no_file(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(data, "clip", lambda one: clip(one) if one == scene("test", 0) else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            clips("test", 2, tmp_path)
    assert not list(tmp_path.iterdir())
    assert len(clips("test", 2, tmp_path)) == 2


def test_clips_are_drawn_anew_when_the_world_has_changed(tmp_path, monkeypatch):
    frames, sounds = clips("test", 2, tmp_path).frames.clone(), clips("test", 2, tmp_path).waveforms.clone()
    monkeypatch.setattr(data, "clip", lambda one: replace(clip(one), frames=clip(one).frames.flip(-1)))
    after = clips("test", 2, tmp_path)
    assert torch.equal(after.frames, frames.flip(-1)) and torch.equal(after.waveforms, sounds)


@pytest.mark.parametrize(
    "start, seconds, happens",
    [
        (0.0, 0.5, False),
        (0.0, 0.55, False),
        (0.0, 0.65, True),
        (0.25, 0.5, True),
        (0.55, 0.2, True),
        (0.65, 0.5, True),
        (0.75, 0.5, False),
        (0.1, 0.5, True),
        (0.7, 0.5, True),
        (0.85, 0.5, False),
        (1.25, 0.3, True),
        (0.0, 2.0, True),
    ],
)
def test_a_span_is_active_where_it_holds_a_tenth_of_a_second_of_an_event(start, seconds, happens):
    """A ball bounces from 0.5 to 0.8 s and from 1.4 to 1.7 s. Another one never bounces."""
    twice = replace(scene("test", 0), times=(0.5, 1.4))
    never = replace(twice, times=())
    none = Clips(torch.empty(0), torch.empty(0), [never, twice])
    assert EVENTS[0].seconds == 0.3
    found = none.happening(torch.tensor([1, 0, 1]), torch.full((3,), start), seconds)
    assert found.tolist() == [happens, False, happens]
