"""One condition between several."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

from aligner.binders.base import Embedding
from aligner.conditions.blending import blended
from aligner.conditions.condition import Condition
from aligner.conditions.timeline import Timeline
from aligner.errors import AlignerError

SPANS = ((0.0, 1.0), (1.0, 2.0))


def condition(*clips: list[float], weight: float = 1.0, spans=None, binder: str = "one", **settings) -> Condition:
    embedding = Embedding(torch.tensor([clips]), spans, "audio" if spans else "text", binder)
    return Condition(embedding, weight, **settings)


def direction(result: Condition) -> torch.Tensor:
    return F.normalize(result.embedding.clips[0], dim=-1)


def test_equal_weights_meet_in_the_middle_whatever_the_lengths():
    result = blended([condition([20.0, 0.0]), condition([0.0, 1.0])])
    assert torch.allclose(direction(result), torch.tensor([[0.5, 0.5]]).sqrt())
    assert result.weight == 1 and result.embedding.spans is None


def test_the_heavier_one_is_nearer():
    result = blended([condition([1.0, 0.0], weight=3.0), condition([0.0, 1.0])], weight=-2.0)
    assert torch.allclose(result.embedding.clips, torch.tensor([[[0.75, 0.25]]])) and result.weight == -2


def test_a_negative_weight_leads_away():
    result = blended([condition([1.0, 0.0]), condition([0.6, 0.8], weight=-0.5)])
    assert direction(result)[0, 1] < 0


def test_the_same_clips_keep_their_time():
    first, second = (condition([1.0, 0.0], [0.0, 1.0], spans=SPANS) for _ in range(2))
    result = blended([first, second])
    assert result.embedding.spans == SPANS and torch.allclose(direction(result), torch.eye(2))
    mixed = blended([first, condition([0.0, 1.0])])
    assert mixed.embedding.spans is None and mixed.embedding.clips.shape == (1, 1, 2)


def test_streams_and_the_duration_of_videos_stay():
    def video(seconds: int) -> Condition:
        return replace(
            condition([1.0, 0.0], duration=Fraction(seconds), streams=("audio",)),
            embedding=Embedding(torch.tensor([[[1.0, 0.0]]]), SPANS[:1], "video", "one"),
        )

    sound = condition([0.0, 1.0], spans=SPANS[:1], duration=Fraction(4), streams=("audio",))
    same = blended([video(3), sound])
    assert (same.duration, same.streams) == (3, ("audio",))
    assert blended([video(3), video(2), sound]).duration is None and blended([sound, sound]).duration is None


@pytest.mark.parametrize(
    "conditions, message",
    [
        ([condition([1.0, 0.0])], "at least two"),
        ([condition([1.0, 0.0]), condition([0.0, 1.0], weight=0.0)], "at least two"),
        ([condition([1.0, 0.0]), condition([2.0, 0.0], weight=-1.0)], "cancel each other out"),
        ([condition([1.0, 0.0], streams=("video",)), condition([0.0, 1.0])], "different streams"),
        ([condition([1.0, 0.0]), condition([0.0, 1.0], binder="other")], "another binder than the first"),
        ([condition([1.0, 0.0]), condition([0.0, 1.0, 0.0])], "different shapes"),
        ([condition([1.0, 0.0], timeline=Timeline()), condition([0.0, 1.0])], "Blend first"),
    ],
)
def test_what_cannot_be_blended_is_an_error(conditions, message):
    with pytest.raises(AlignerError, match=message):
        blended(conditions)


def test_a_blend_says_which_binder_made_it():
    assert blended([condition([1.0, 0.0]), condition([0.0, 1.0])]).embedding.binder == "one"


def test_heads_are_blended_like_the_clips():
    """A condition without that head takes part by its clips."""
    with_head = condition([1.0, 0.0])
    with_head = replace(
        with_head, embedding=replace(with_head.embedding, heads={"audio": torch.tensor([[[0.0, 2.0]]])})
    )
    result = blended([with_head, condition([1.0, 0.0])]).embedding
    assert torch.allclose(result.clips, torch.tensor([[[1.0, 0.0]]]))
    assert torch.allclose(result.towards("audio").clips, torch.tensor([[[0.5, 0.5]]]))
    assert torch.equal(result.towards("video").clips, result.clips)
