"""Distances between embeddings, against cases whose answer is known."""

import torch

from aligner.binders.base import Embedding
from aligner.guidance.distances import cosine_distance, mean_distance, per_clip_distance


def _embedding(clips, spans=None, modality="audio"):
    return Embedding(torch.tensor(clips, dtype=torch.float32)[None], spans, modality, "binder")


EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


def test_cosine_distance_of_known_angles():
    x = torch.tensor([EAST, EAST, EAST])
    y = torch.tensor([EAST, NORTH, WEST])
    torch.testing.assert_close(cosine_distance(x, y * 7), torch.tensor([0.0, 1.0, 2.0]))


def test_mean_distance_forgets_order_and_per_clip_distance_does_not():
    spans = ((0.0, 1.0), (1.0, 2.0))
    there, back = _embedding([EAST, NORTH], spans), _embedding([NORTH, EAST], spans)
    assert mean_distance(there, back).item() < 1e-6
    torch.testing.assert_close(per_clip_distance(there, back), torch.tensor([1.0]))
    assert per_clip_distance(there, there).item() < 1e-6


def test_the_mean_is_taken_before_the_cosine():
    long_and_short = _embedding([[10.0, 0.0], [0.0, 1.0]])
    expected = 1 - 10 / 101**0.5
    assert abs(mean_distance(long_and_short, _embedding([EAST])).item() - expected) < 1e-6


def test_clips_are_matched_by_time_where_counts_differ():
    four = _embedding([EAST, EAST, NORTH, NORTH], ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)))
    two = _embedding([EAST, NORTH], ((0.0, 2.0), (2.0, 4.0)))
    assert per_clip_distance(four, two).item() < 1e-6
    assert per_clip_distance(two, four).item() < 1e-6


def test_an_embedding_without_time_is_compared_by_the_mean():
    timed = _embedding([EAST, NORTH], ((0.0, 1.0), (1.0, 2.0)))
    text = _embedding([EAST], None, "text")
    torch.testing.assert_close(per_clip_distance(timed, text), mean_distance(timed, text))
