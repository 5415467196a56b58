"""Right, vague and wrong captions."""

from __future__ import annotations

import pytest

from aligner.demo.events import EVENTS
from laboratory.world import (
    VAGUE_CAPTIONS,
    right_caption,
    scene,
    vague_caption,
    wrong_caption,
)

EACH_SCENE = pytest.mark.parametrize(
    "one", [scene("development", index) for index in range(8)], ids=lambda one: one.event.name
)


@EACH_SCENE
def test_right_captions_describe_the_event(one):
    assert {right_caption(one, number) for number in range(6)} == set(one.event.captions)


@EACH_SCENE
def test_wrong_captions_describe_all_other_events(one):
    said = [wrong_caption(one, number) for number in range(14)]
    named = [event for caption in said for event in EVENTS if caption in event.captions]
    assert len(named) == len(said) and set(named) == set(EVENTS) - {one.event}


def test_no_caption_is_right_for_two_events():
    captions = [caption for event in EVENTS for caption in event.captions]
    assert len(set(captions)) == len(captions)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_word_identifies_one_event(event):
    others = " ".join(caption for other in EVENTS if other is not event for caption in other.captions).replace(",", "")
    assert len(set(event.words)) == len(event.words) == 3 and event.words[0] == event.name
    for word in event.words:
        assert any(word in caption for caption in event.captions) and f" {word} " not in f" {others} "


def test_vague_captions_share_no_word_with_any_event():
    assert {vague_caption(number) for number in range(6)} == set(VAGUE_CAPTIONS)
    words = {word for event in EVENTS for caption in event.captions for word in caption.replace(",", "").split()}
    assert {word for caption in VAGUE_CAPTIONS for word in caption.split()} & words == {"a"}
