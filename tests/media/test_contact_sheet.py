"""A contact sheet shows every candidate, its score, and the one that was chosen."""

from __future__ import annotations

import pytest
from PIL import Image

from aligner.errors import AlignerError
from aligner.pictures import Tile, captioned, contact_sheet, stacked
from aligner.pictures.contact_sheet import CHOSEN, MOST, OTHER

GREEN, BLUE = (0, 160, 0), (0, 0, 200)


def tiles(*scores: float, chosen: int = 0, size=(64, 64), note: str = "") -> list[Tile]:
    picture = Image.new("RGB", size, GREEN)
    return [
        Tile(picture, score, f"candidate {number}", chosen=number == chosen, note=note)
        for number, score in enumerate(scores)
    ]


def count(picture: Image.Image, colour: str | tuple[int, int, int]) -> int:
    """How many pixels have a colour."""
    wanted = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
    return sum(number for number, each in picture.getcolors(picture.width * picture.height) if each == wanted)


@pytest.mark.parametrize("number", [1, 2, 4, 8, 16, 24, 64])
def test_every_candidate_is_shown_and_one_is_framed(number):
    sheet = contact_sheet(tiles(*range(number)), title="t")
    assert sheet.width == 1280 and 0.3 < sheet.height / sheet.width < 1.2
    without = contact_sheet(tiles(*range(number), chosen=-1), title="t")
    assert count(sheet, CHOSEN) > 200 and count(without, CHOSEN) == 0
    assert count(without, GREEN) >= number * 60**2


def test_a_higher_score_has_a_longer_bar():
    low = contact_sheet(tiles(0.1, 0.2, 0.3, chosen=-1), title="t")
    high = contact_sheet(tiles(0.1, 0.29, 0.3, chosen=-1), title="t")
    assert count(high, OTHER) > count(low, OTHER) > 0
    even = contact_sheet(tiles(0.2, 0.2, 0.2, chosen=-1), title="t")
    assert count(even, OTHER) > count(high, OTHER), "equal scores have full bars"


def test_a_score_that_is_no_number_has_no_bar():
    assert count(contact_sheet(tiles(float("nan"), chosen=-1), title="t"), OTHER) == 0


def test_wide_and_tall_pictures_keep_their_shape():
    for size in ((512, 128), (64, 128)):
        sheet = contact_sheet(tiles(0.1, chosen=-1, size=size), title="t")
        columns = [x for x in range(sheet.width) if any(sheet.getpixel((x, y)) == GREEN for y in range(sheet.height))]
        rows = [
            y for y in range(sheet.height) if any(sheet.getpixel((x, y)) == GREEN for x in range(0, sheet.width, 4))
        ]
        width, height = len(columns), len(rows)
        assert width / height == pytest.approx(size[0] / size[1], rel=0.05)


def test_title_caption_and_notes_are_written():
    plain = contact_sheet(tiles(0.1), title="one")
    for other in (
        contact_sheet(tiles(0.1), title="two"),
        contact_sheet(tiles(0.1), title="one", caption="words\nmore"),
        contact_sheet(tiles(0.1, note="silent"), title="one"),
    ):
        assert other.tobytes() != plain.tobytes()
    assert contact_sheet(tiles(0.1), title="one").tobytes() == plain.tobytes()


def test_of_very_many_the_best_and_the_chosen_are_shown():
    many = tiles(*range(MOST + 10), chosen=0)
    many[MOST] = Tile(Image.new("RGB", (64, 64), BLUE), -1.0, "the worst")
    sheet = contact_sheet(many, title="t")
    assert count(sheet, BLUE) == 0 and count(sheet, CHOSEN) > 100


def test_a_sheet_needs_a_candidate_and_some_width():
    with pytest.raises(AlignerError, match="at least one candidate"):
        contact_sheet([], title="t")
    with pytest.raises(AlignerError, match="at least 320"):
        contact_sheet(tiles(0.1), title="t", width=100)


def test_pictures_of_one_result_are_stacked():
    both = stacked([Image.new("RGB", (100, 50), GREEN), Image.new("RGB", (200, 100), BLUE)])
    assert both.size == (200, 200)
    assert both.getpixel((5, 5)) == GREEN and both.getpixel((5, 150)) == BLUE
    assert stacked([]).size == (64, 40)


def test_a_caption_stands_below_and_small_pictures_are_enlarged():
    picture = captioned(Image.new("RGB", (64, 64), GREEN), "candidate 3 of 16")
    assert picture.width == 256 and picture.height > 256 and picture.getpixel((5, 5)) == GREEN
    assert picture.tobytes() != captioned(Image.new("RGB", (64, 64), GREEN), "candidate 4 of 16").tobytes()
