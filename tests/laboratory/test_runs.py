"""Cells are generated, measured and kept."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from aligner.demo.events import EVENTS
from aligner.generators.signals import Sound
from aligner.guidance.gradient import Released
from aligner.guidance.rule import Unguided
from laboratory.evaluation import cells, runs
from laboratory.evaluation.cells import METHODS, TASKS, Cell
from laboratory.evaluation.runs import generated, given_signal, key_frame, rows_of
from laboratory.world import right_caption, scene

CELL = Cell("V2A", "released", "vague")
#: Models for tests that generate nothing.
MODELS = SimpleNamespace(fingerprint="these weights")


@pytest.fixture
def batches(monkeypatch):
    """The batches that are asked for. Nothing is generated."""
    made: list[range] = []

    def batch(cell, models, split, indices, rule):
        made.append(indices)
        return [{"index": index, "of": cell.name} for index in indices]

    monkeypatch.setattr(runs, "_batch", batch)
    return made


@pytest.fixture
def two_steps(monkeypatch):
    """The arguments of `generated`, which takes two steps."""
    calls: list[tuple] = []

    def recorded(*arguments, **options):
        calls.append(arguments)
        return generated(*arguments, **options)

    monkeypatch.setattr(runs, "generated", recorded)
    monkeypatch.setattr(runs, "STEPS", 2)
    monkeypatch.setattr(runs, "BATCH", 2)
    return calls


def test_a_cell_is_made_in_batches(batches):
    rows = rows_of(CELL, MODELS, "test", 20)
    assert batches == [range(8), range(8, 16), range(16, 20)]
    assert rows == [{"index": index, "of": "V2A-released-vague"} for index in range(20)]


def kept_rows(work) -> list[dict]:
    return json.loads((work / "test" / "V2A-released-vague.json").read_text(encoding="utf-8"))["rows"]


def test_a_run_resumes_from_the_kept_rows(tmp_path, batches):
    first = rows_of(CELL, MODELS, "test", 8, tmp_path)
    assert kept_rows(tmp_path) == first
    batches.clear()
    rows = rows_of(CELL, MODELS, "test", 16, tmp_path)
    assert batches == [range(8, 16)]
    assert rows[:8] == first and [row["index"] for row in rows] == list(range(16))
    assert kept_rows(tmp_path) == rows


def test_kept_rows_are_not_measured_again(tmp_path, batches):
    rows = rows_of(CELL, MODELS, "test", 16, tmp_path)
    batches.clear()
    assert rows_of(CELL, MODELS, "test", 16, tmp_path) == rows
    assert rows_of(CELL, MODELS, "test", 5, tmp_path) == rows[:5]
    assert batches == []


def test_each_cell_and_split_keeps_its_own_rows(tmp_path, batches):
    for cell, split in ((CELL, "test"), (replace(CELL, caption="right"), "test"), (CELL, "development")):
        rows_of(cell, MODELS, split, 8, tmp_path)
    assert batches == [range(8)] * 3


@pytest.mark.parametrize(
    "part, name, value",
    [
        (MODELS, "fingerprint", "other weights"),
        (runs, "STEPS", 21),
        (runs, "AUDIO_CFG", 2.6),
        (runs.family, "VIDEO_CFG", 3.1),
        (runs, "edition", lambda: "other code"),
        (cells, "METHODS", {"released": Released(inner_steps=2)}),
    ],
)
def test_rows_of_other_models_or_settings_are_measured_anew(tmp_path, batches, monkeypatch, part, name, value):
    rows_of(CELL, MODELS, "test", 16, tmp_path)
    monkeypatch.setattr(part, name, value)
    batches.clear()
    assert len(rows_of(CELL, MODELS, "test", 8, tmp_path)) == len(kept_rows(tmp_path)) == 8
    assert batches == [range(8)]


def test_a_failed_batch_leaves_the_earlier_batches(tmp_path, batches, monkeypatch):
    whole = runs._batch
    monkeypatch.setattr(runs, "_batch", lambda *arguments: whole(*arguments) if arguments[3] == range(8) else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rows_of(CELL, MODELS, "test", 16, tmp_path)
    assert len(kept_rows(tmp_path)) == 8


def test_every_sample_has_its_own_clip_caption_and_condition(trained, two_steps):
    """Guided sounds for videos, by models after one step of training."""
    models, cell = trained.models, Cell("V2A", "released", "right")
    rows = rows_of(cell, models, "development", 2)
    ((_, streams, captions, given, rule),) = two_steps
    assert streams == ("audio",) and rule == METHODS["released"]
    assert captions == [right_caption(scene("development", index), index) for index in range(2)]
    assert given.pixels.shape == (2, 16, 3, 64, 64)
    assert [row["index"] for row in rows] == [0, 1] and [row["event"] for row in rows] == ["ball", "square"]
    assert all(row["seconds"] > 0 and row["matched"] is not None for row in rows)
    json.dumps(rows)


def test_a_sample_does_not_depend_on_its_batch(trained, development):
    """It has its own seed, caption and condition."""
    make = partial(generated, trained.models, ("audio",), steps=1)
    pair, rule = development[:2], Released(start=0)
    captions = [right_caption(each.scene) for each in pair]
    both = make(captions, given_signal("video", pair), rule, seed=7)
    second = make(captions[1:], given_signal("video", pair[1:]), rule, seed=8)
    unguided = make(captions[1:], None, Unguided(), seed=8)

    def apart(one: torch.Tensor, other: torch.Tensor) -> float:
        return (one - other).abs().mean().item()

    (first, same), (alone,), (free,) = both.latents["audio"], second.latents["audio"], unguided.latents["audio"]
    # Adam steps by the signs of gradients, and rounding decides a few of them.
    assert apart(same, alone) < 1e-3
    assert apart(alone, free) > 0.05 and apart(first, same) > 0.5


def test_joint_streams_come_in_the_order_of_the_task(trained):
    joint = TASKS["joint"]
    assert trained.models.denoiser(joint.generates, steps=2).streams == joint.generates == ("video", "audio")


def test_the_given_signal_is_the_part_of_the_clips_that_steers(development):
    pair = development[:2]
    assert given_signal("", pair) is None
    sound = given_signal("audio", pair)
    assert isinstance(sound, Sound) and torch.equal(sound.waveform[1], pair[1].waveform)
    assert torch.equal(given_signal("video", pair).pixels[1], pair[1].frames)
    picture = given_signal("image", pair).pixels
    assert picture.shape == (2, 1, 3, 64, 64)
    assert all(torch.equal(shown[0], each.frames[key_frame(each)]) for shown, each in zip(picture, pair))


@pytest.mark.parametrize("begin, frame", [(0.12, 2), (0.5, 5), (1.58, 13)])
def test_the_picture_shows_the_middle_of_the_first_event(development, begin, frame):
    """A ball's event lasts 0.3 s and a frame 0.125 s: 0.27, 0.65 and 1.73 s lie in frames 2, 5 and 13."""
    assert EVENTS[0].seconds == 0.3
    ball = replace(development[0].scene, times=(begin, 1.6))
    assert key_frame(replace(development[0], scene=ball)) == frame


@pytest.mark.parametrize("index", range(8))
def test_the_picture_differs_from_the_first_frame(development, index):
    """The first frame shows the moment before the event."""
    one = development[index]
    assert (one.frames[key_frame(one)] - one.frames[0]).abs().max() > 0.1
