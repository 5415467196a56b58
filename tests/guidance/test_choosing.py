"""What a preview shows while candidates run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from aligner.guidance.choosing import Take, beside_best, counted, filmed
from aligner.guidance.objective import Alignment
from aligner.guidance.rehearsal import ordered
from aligner.pictures import Film, caption


def take(label: str, loss: float, colour: str = "blue", silent: bool = False) -> Take:
    alignment = Alignment(torch.tensor([loss]), {"audio ~ text": torch.tensor([1 - loss])}, {"audio ~ text": 1.0})
    return Take(label, alignment, torch.tensor([silent]), (Image.new("RGB", (64, 64), colour),))


def film(*colours: str) -> Film:
    return Film([Image.new("RGB", (64, 64), colour) for colour in colours], 8.0)


@pytest.fixture
def captions(monkeypatch):
    """The captions that are drawn."""
    drawn, elided = [], caption.elided
    monkeypatch.setattr(caption, "elided", lambda words, *room: drawn.append(words) or elided(words, *room))
    return drawn


def test_the_best_so_far_stands_beside_every_frame(captions):
    shown = beside_best(film("red", "lime"), counted(2, 16), take("candidate 7", 0.688))
    assert len(shown.pictures) == 2 and shown.fps == 8
    for picture, colour in zip(shown.pictures, ([255, 0, 0], [0, 255, 0])):
        pixels = np.asarray(picture)
        assert pixels[100, 50].tolist() == colour and pixels[100, -50].tolist() == [0, 0, 255]
    assert set(captions) == {"candidate 3 of 16", "best so far: candidate 7, 0.312"}


def test_before_a_comparison_there_is_no_best_and_the_preview_says_so(captions):
    (picture,) = beside_best(film("red"), counted(15, 16), None).pictures
    assert captions == ["candidate 16 of 16, no best yet"]
    assert caption.elided(captions[0], caption.font(14), picture.width - 14) == captions[0], "it is cut"
    assert (np.asarray(picture)[:256] == [255, 0, 0]).all()


def test_the_best_so_far_can_be_heard():
    takes = {4: take("5", 0.5), 2: take("3", 0.1, silent=True), 9: take("10", 0.4)}
    assert ordered(takes) == [9, 4, 2]


def test_films_of_several_streams_stay_in_step():
    class Still:
        def picture(self) -> Image.Image:
            return Image.new("RGB", (64, 10), "blue")

    class Moving(Still):
        def film(self) -> Film:
            return film("red", "lime")

    shown = filmed({"audio": Still(), "video": Moving(), "other": object()})
    assert [picture.getpixel((5, 40)) for picture in shown.pictures] == [(255, 0, 0), (0, 255, 0)]
    assert all(picture.getpixel((5, 5)) == (0, 0, 255) for picture in shown.pictures) and shown.fps == 8
    assert filmed({"other": object()}) is None
