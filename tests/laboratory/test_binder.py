"""Training of the binders: spans of clips, and the contrastive loss."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from laboratory.training import binder
from laboratory.training.binder import _Batch, _bound, _patches

COUNT = 24


@pytest.fixture
def batch(few_clips, monkeypatch):
    """The batch that a seed makes."""
    monkeypatch.setattr(binder, "BATCH", COUNT)
    return lambda seed: _Batch(few_clips, torch.Generator().manual_seed(seed))


def test_the_loss_of_distinct_labels_is_contrastive_in_both_directions(seeded):
    similarity = torch.randn(4, 4, generator=seeded)
    partners = torch.arange(4)
    expected = 0.5 * (F.cross_entropy(similarity, partners) + F.cross_entropy(similarity.T, partners))
    assert _bound(similarity, torch.eye(4, dtype=torch.bool)) == pytest.approx(expected)


def test_half_of_the_target_is_shared_by_spans_of_one_label():
    """Two clips of one event: 3 / 4 of the target belong to the partner and 1 / 4 to the other clip."""
    similarity = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    partner, other = (math.log(math.exp(value) / (math.exp(2) + 1)) for value in (2, 0))
    same = torch.ones(2, 2, dtype=torch.bool)
    assert _bound(similarity, same).item() == pytest.approx(-(0.75 * partner + 0.25 * other))


def test_no_patch_is_kept_twice(seeded):
    kept = _patches(256, 6, seeded)
    assert kept.shape == (6, 102) and kept.min() >= 0 and kept.max() < 256
    assert all(len(row.unique()) == 102 for row in kept)
    assert len({tuple(row.tolist()) for row in kept}) == 6


def test_batches_have_the_input_shapes_of_the_towers(batch, seeded):
    one = batch(0)
    assert one.pixels(seeded).shape == (COUNT, 3, 2, 224, 224)
    assert one.mels(seeded).shape == (COUNT, 1, 128, 204)


def test_spans_lie_within_the_clips_and_begin_with_a_frame(batch):
    drawn = [batch(seed) for seed in range(20)]
    assert {one.seconds for one in drawn} == {0.5, 1.0, 2.0}
    for one in drawn:
        assert one.starts.min() >= 0 and one.starts.max() + one.seconds <= 2
        assert torch.equal((one.starts * 8).round(), one.starts * 8)


def test_spans_of_one_event_and_spans_without_one_share_a_label(batch):
    one = next(one for one in map(batch, range(20)) if one.seconds == 0.5)
    assert one.active.any() and not one.active.all()
    for i in range(COUNT):
        for k in range(COUNT):
            both = one.active[i] and one.active[k] and one.events[i] == one.events[k]
            assert one.same[i, k] == (both or not (one.active[i] or one.active[k]))


def test_some_spans_are_shown_as_pictures(batch, seeded, monkeypatch):
    monkeypatch.setattr(binder, "roughened_frames", lambda frames, draw: frames)
    one = next(one for one in map(batch, range(20)) if one.seconds == 2.0)
    one.data.frames[:, -1] += 9  # the last frame of every clip differs from its first
    pixels = one.pixels(seeded)
    still = (pixels[:, :, 0] == pixels[:, :, 1]).flatten(1).all(dim=1)
    assert 0.1 < still.float().mean() < 0.6
