"""Finished recordings against conditions."""

from dataclasses import replace

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.conditions.condition import Condition
from aligner.conditions.timeline import Timeline
from aligner.errors import AlignerError
from aligner.guidance.scoring import score
from aligner.timing.intervals import Interval


def condition(binder: str = "one", spans=None, **settings) -> Condition:
    clips = torch.ones(1, len(spans) if spans else 1, 4)
    return Condition(Embedding(clips, spans, "audio" if spans else "text", binder), **settings)


def vector(values: list[float], modality: str, weight: float = 1.0) -> Condition:
    return Condition(Embedding(torch.tensor([[values]]), None, modality, "one"), weight)


def test_the_score_is_the_weighted_mean_of_cosines():
    sound = [vector([1.0, 0.0], "audio")]
    targets = [vector([1.0, 0.0], "video"), vector([-1.0, 0.0], "text", -0.5), vector([0.0, 1.0], "text", 0)]
    scores = score(sound, targets)
    cosines, overall = {label: each.item() for label, each in scores.cosines.items()}, scores.overall
    assert cosines == pytest.approx({"audio ~ video": 1.0, "audio ~ text": -1.0})
    assert overall == pytest.approx(1.0 / 1.5), "the opposite of what repels is no better than nothing"


def test_nothing_to_score_is_an_error():
    with pytest.raises(AlignerError, match="something to score"):
        score([], [vector([1.0, 0.0], "text")])


@pytest.mark.parametrize("scored, targets", [(["one"], ["other"]), (["one"], ["one", "other"])])
def test_what_different_binders_encoded_cannot_be_compared(scored, targets):
    """Their embeddings are equally wide."""
    with pytest.raises(AlignerError, match="encoded with another binder than what is scored"):
        score(map(condition, scored), map(condition, targets))


def test_what_has_no_target_of_its_binder_is_left_out():
    assert list(score([condition("one"), condition("other")], [condition("one")]).cosines) == ["text ~ text"]


def test_what_another_binder_encoded_does_not_matter_without_weight():
    assert score([condition()], [condition(), condition("other", weight=0.0)]).overall == pytest.approx(1)


def test_the_synchrony_of_recordings_is_told_beside():
    def seen(*ticks, modality):
        onsets = torch.zeros(1, 200)
        onsets[:, list(ticks)] = 1.0
        return replace(vector([1.0, 0.0], modality), onsets=onsets)

    sound, scored = seen(50, 120, modality="audio"), vector([1.0, 0.0], "text")
    found = score([sound], [seen(50, 120, modality="video"), scored]).synchrony
    assert found == {"audio ~ video": pytest.approx(1.0)}
    assert score([sound], [seen(50, 180, modality="video")]).synchrony["audio ~ video"].item() == pytest.approx(0.5)
    assert score([scored], [seen(50, modality="video")]).synchrony == {}


def test_clips_are_compared_at_their_time_by_default():
    spans = ((0.0, 1.0), (1.0, 2.0))
    there, back = (
        Condition(Embedding(clips[None], spans, "audio", "one")) for clips in (torch.eye(2), torch.eye(2).flip(0))
    )
    assert score([there], [back]).overall == pytest.approx(0) and score(
        [there], [back], "mean"
    ).overall == pytest.approx(1)


def test_each_side_is_compared_by_its_head_towards_the_other():
    east, north = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])
    sound = Condition(Embedding(east, None, "audio", "one", {"text": north}))
    text = Condition(Embedding(east, None, "text", "one", {"audio": north, "video": east}))
    image = Condition(Embedding(north, None, "image", "one"))
    cosines = score([sound], [text, image]).cosines
    assert cosines == {"audio ~ text": pytest.approx(1.0), "audio ~ image": pytest.approx(0.0)}


def test_a_target_between_the_clips_is_an_error():
    result = condition(spans=((0.0, 2.0), (4.0, 6.0), (8.0, 10.0)), duration=10)
    with pytest.raises(AlignerError, match="'text' steers 2.1 s to 3.9 s, but its strength is 0 on all clips"):
        score([result], [condition(timeline=Timeline(target=Interval(2.1, 3.9)))])


def test_a_condition_that_its_binder_did_not_make_is_an_error():
    """A file may name any binder."""
    wide = Condition(Embedding(torch.ones(1, 1, 7), None, "text", "one"))
    with pytest.raises(AlignerError, match="widths 4 and 7 cannot be compared"):
        score([condition()], [wide])


def test_several_embeddings_in_one_condition_are_an_error():
    with pytest.raises(AlignerError, match="score them one by one"):
        score([condition()], [Condition(Embedding(torch.ones(3, 1, 4), None, "text", "one"))])


def test_what_has_no_time_is_scored_against_a_timed_recording():
    onsets = torch.zeros(1, 300)
    onsets[:, 150] = 1
    spans = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    timed = condition(spans=spans, onsets=onsets, timeline=Timeline(target=Interval(1.0, None)))
    scores = score([condition()], [timed])
    assert len(scores.cosines) == 1 and not scores.synchrony
