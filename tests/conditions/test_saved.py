"""Conditions from and to files."""

import json
from fractions import Fraction

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.conditions.condition import Condition
from aligner.conditions.saved import load_conditions, save_conditions
from aligner.conditions.timeline import Timeline
from aligner.errors import AlignerError, CheckpointError
from aligner.files.weights import open_weights, save_weights
from aligner.timing.curves import Curve
from aligner.timing.intervals import Interval

TIMELINE = Timeline(Interval(0.5, 2.0), Interval(1.0), Curve(((0.0, 1.0), (2.0, 0.5))), Curve(((0.0, 0.25),)))
CONDITIONS = [
    Condition(
        Embedding(
            torch.randn(1, 2, 8), ((0.0, 1.0), (0.5, 1.5)), "video", "0123456789abcdef", {"audio": torch.randn(1, 2, 6)}
        ),
        -0.5,
        Fraction(30030, 1001),
        ("audio",),
        TIMELINE,
    ),
    Condition(Embedding(torch.randn(1, 1, 8), None, "text", "fedcba9876543210"), prompt=True),
]


def test_what_is_saved_is_loaded_as_it_was(tmp_path):
    save_conditions(tmp_path / "some.safetensors", CONDITIONS)
    for saved, loaded in zip(CONDITIONS, load_conditions(tmp_path / "some.safetensors"), strict=True):
        assert torch.equal(saved.embedding.clips, loaded.embedding.clips)
        for name in ("weight", "duration", "streams", "timeline", "prompt"):
            assert getattr(saved, name) == getattr(loaded, name), name
        for name in ("spans", "modality", "binder"):
            assert getattr(saved.embedding, name) == getattr(loaded.embedding, name), name
        assert saved.embedding.heads.keys() == loaded.embedding.heads.keys()
        for modality, clips in saved.embedding.heads.items():
            assert torch.equal(clips, loaded.embedding.heads[modality])


@pytest.mark.parametrize(
    "name, conditions, message",
    [("some.pt", CONDITIONS, "change the suffix"), ("some.safetensors", [], "no conditions to save")],
)
def test_what_cannot_be_saved_is_an_error(tmp_path, name, conditions, message):
    with pytest.raises(AlignerError, match=message):
        save_conditions(tmp_path / name, conditions)
    assert not any(tmp_path.iterdir())


BOMBS = [{"conditions": opening * 100_000} for opening in ("[", '{"a":', '[{"timeline":')]


@pytest.mark.parametrize("metadata", [{}, {"conditions": "no"}, {"conditions": '[{"modality": "text"}]'}, *BOMBS])
def test_another_file_is_an_error(tmp_path, metadata):
    save_weights(tmp_path / "other.safetensors", {"0": torch.zeros(1, 1, 8)}, metadata)
    with pytest.raises(CheckpointError, match="does not hold conditions"):
        load_conditions(tmp_path / "other.safetensors")


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.float16, torch.bfloat16])
def test_clips_of_fewer_bits_become_float32(tmp_path, dtype):
    save_conditions(tmp_path / "some.safetensors", CONDITIONS[1:])
    with open_weights(tmp_path / "some.safetensors") as weights:
        metadata, clips = dict(weights.metadata), weights.take("0").clone()
    save_weights(tmp_path / "small.safetensors", {"0": clips.to(dtype)}, metadata)
    (condition,) = load_conditions(tmp_path / "small.safetensors")
    assert condition.embedding.clips.dtype == torch.float32
    assert torch.allclose(condition.embedding.clips, clips, rtol=0.25, atol=0.01)


@pytest.mark.parametrize(
    "state, changed",
    [
        ({}, {}),
        ({"0": torch.zeros(8)}, {}),
        ({"0": torch.zeros(1, 3, 8)}, {}),
        ({"0": torch.zeros(1, 0, 8)}, {}),
        ({"0": torch.zeros(1, 2, 8, dtype=torch.int64)}, {}),
        (None, {"duration": "1/0"}),
        (None, {"duration": float("inf")}),
        (None, {"duration": "1e999999999"}),
        (None, {"modality": None}),
        (None, {"modality": "two words"}),
        (None, {"spans": [[0.0, float("nan")]] * 2}),
        (None, {"streams": [["audio"]]}),
        (None, {"streams": "a\ud800"}),
        ({"0": torch.full((1, 2, 8), float("nan")), "0.audio": torch.ones(1, 2, 6)}, {}),
        ({"0": torch.ones(1, 2, 8), "0.audio": torch.full((1, 2, 6), float("inf"))}, {}),
        ({"0": torch.ones(1, 2, 8, dtype=torch.complex64), "0.audio": torch.ones(1, 2, 6)}, {}),
        (None, {"spans": [[0.0, 1.0]]}),
        (None, {"spans": []}),
        (None, {"spans": [[0.0], [1.0]]}),
        (None, {"spans": [[0.0, 1.0], [2.0, 2.0]]}),
        (None, {"spans": [["a", "b"]] * 2}),
        (None, {"weight": "heavy"}),
        (None, {"binder": None}),
        (None, {"heads": ["text"]}),
        ({"0": torch.zeros(1, 2, 8), "0.audio": torch.zeros(1, 3, 8)}, {}),
        (None, {"timeline": {"source": [0, 1]}}),
    ],
)
def test_a_damaged_file_is_an_error(tmp_path, state, changed):
    path = tmp_path / "some.safetensors"
    save_conditions(path, CONDITIONS[:1])
    with open_weights(path) as weights:
        (description,) = json.loads(weights.metadata["conditions"])
        whole = {name: weights.take(name).clone() for name in ("0", "0.audio")}
    save_weights(
        path,
        whole if state is None else {**state, "other": torch.zeros(1)},
        {"conditions": json.dumps([{**description, **changed}])},
    )
    with pytest.raises(CheckpointError, match="does not hold conditions|holds a condition that cannot be used: "):
        load_conditions(path)
