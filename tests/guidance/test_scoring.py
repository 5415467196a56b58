"""Finished recordings against conditions."""

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.conditions.condition import Condition
from aligner.conditions.timeline import Timeline
from aligner.errors import AlignerError
from aligner.guidance.scoring import score
from aligner.timing.intervals import Interval


def condition(width: int = 4, spans=None, **settings) -> Condition:
    clips = torch.ones(1, len(spans) if spans else 1, width)
    return Condition(Embedding(clips, spans, "audio" if spans else "text"), **settings)


@pytest.mark.parametrize("scored, targets", [([4], [8]), ([4], [4, 8]), ([4, 8], [4])])
def test_what_different_imagebinds_encoded_cannot_be_compared(scored, targets):
    with pytest.raises(AlignerError, match="encoded with another ImageBind than what is scored"):
        score(map(condition, scored), map(condition, targets))


def test_what_another_imagebind_encoded_does_not_matter_without_weight():
    assert score([condition()], [condition(), condition(8, weight=0.0)])[1] == pytest.approx(1)


def test_a_target_between_the_clips_is_an_error():
    result = condition(spans=((0.0, 2.0), (4.0, 6.0), (8.0, 10.0)), duration=10)
    with pytest.raises(AlignerError, match="'text' steers 2.1 s to 3.9 s, but its strength is 0 on all clips"):
        score([result], [condition(timeline=Timeline(target=Interval(2.1, 3.9)))])
