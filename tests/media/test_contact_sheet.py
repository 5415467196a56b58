"""Contact sheets: an artist sees what was tried, how it scored and what was chosen."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageColor

from aligner.errors import AlignerError
from aligner.pictures import Tile, contact_sheet, stacked
from aligner.pictures.lettering import Paragraph, elided, font
from aligner.pictures.palette import CHOSEN, FAINT, GRID, OTHER

NAN = float("nan")
PICTURES = {"sound": (512, 256), "picture": (512, 512), "portrait": (480, 640), "video with sound": (512, 544)}
SKY = "#0000ff"


def tiles(scores, size=(512, 256), chosen=None, notes=None, label="candidate {}") -> list[Tile]:
    """Blue pictures with these scores."""
    picture, notes = Image.new("RGB", size, SKY), notes or {}
    return [
        Tile(picture, score, label.format(number + 1), number == chosen, notes.get(number, ""))
        for number, score in enumerate(scores)
    ]


def places_of(sheet: Image.Image, colour: str) -> np.ndarray:
    """(n, 2) rows and columns of the pixels of exactly this colour."""
    return np.argwhere((np.asarray(sheet) == ImageColor.getrgb(colour)).all(axis=2))


def edges(seen: np.ndarray) -> list[tuple[int, int]]:
    """The first place and the place after the last of every stretch of True."""
    changes = np.flatnonzero(np.diff(seen.astype(int), prepend=0, append=0)).tolist()
    return list(zip(changes[::2], changes[1::2]))


def bars(sheet: Image.Image, colour: str = OTHER) -> list[int]:
    """The lengths of the bars of a colour, from left to right and from top to bottom."""
    seen = (np.asarray(sheet) == ImageColor.getrgb(colour)).all(axis=2)
    return [end - start for top, _ in edges(seen.any(axis=1)) for start, end in edges(seen[top])]


def pictures_of(sheet: Image.Image) -> list[tuple[int, int, int, int]]:
    """The left, upper, right and lower edges of blue pictures of one shape, in their order."""
    blue = (np.asarray(sheet) == ImageColor.getrgb(SKY)).all(axis=2)
    columns, rows = edges(blue.any(axis=0)), edges(blue.any(axis=1))
    places = [(left, top, right, bottom) for top, bottom in rows for left, right in columns]
    return [place for place in places if blue[place[1], place[0]]]


@pytest.mark.parametrize("size", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("count", [1, 2, 4, 8, 16, 24, 64])
def test_a_sheet_of_any_count_suits_a_screen_and_its_tiles_can_be_seen(count, size):
    sheet = contact_sheet(tiles([0.1] * count, size), title="Candidate 1 fits best", caption="One.\nTwo.\nThree.")
    assert sheet.mode == "RGB" and sheet.width == 1280
    assert 0.75 < sheet.width / sheet.height < 3
    pictures = pictures_of(sheet)
    assert len(pictures) == count and pictures == sorted(pictures, key=lambda place: place[1::-1])
    assert all(right - left > 90 and bottom - top > 45 for left, top, right, bottom in pictures)


@pytest.mark.parametrize("width", [320, 600, 2400])
def test_the_width_is_the_one_asked_for(width):
    assert contact_sheet(tiles([0.1, NAN] * 8), title="Title", width=width).width == width


@pytest.mark.parametrize("size", [(900, 100), (100, 100), (100, 240), (64, 32), (100, 900)])
def test_pictures_keep_their_shape(size):
    [(left, top, right, bottom)] = pictures_of(contact_sheet(tiles([0.1], size), title="Title"))
    assert abs((right - left) / (bottom - top) / (size[0] / size[1]) - 1) < 0.01


def test_pictures_of_different_shapes_share_a_sheet():
    sheet = contact_sheet([*tiles([0.1], (512, 256)), *tiles([0.1], (256, 512))], title="Title")
    for half, height_by_width in ((0, 0.5), (640, 2.0)):
        rows, columns = np.ptp(places_of(sheet.crop((half, 0, half + 640, sheet.height)), SKY), axis=0) + 1
        assert abs(rows / columns / height_by_width - 1) < 0.01
    assert len(places_of(sheet, GRID)), "the room around the smaller picture is not marked"


def test_toys_stay_sharp_when_they_are_enlarged():
    toy = Image.new("RGB", (4, 4), "#000000")
    toy.paste("#00ff00", (0, 0, 2, 4))
    sheet = contact_sheet([Tile(toy, 0.1, "toy")], title="")
    assert len(places_of(sheet, "#00ff00")) == len(places_of(sheet, "#000000")) == 640 * 320


@pytest.mark.parametrize("count, chosen", [(1, 0), (2, 1), (16, 0), (16, 6), (16, 15), (64, 63)])
def test_the_frame_is_exactly_around_the_chosen_picture(count, chosen):
    plain, framed = (contact_sheet(tiles([0.1] * count, chosen=number), title="Title") for number in (None, chosen))
    assert not len(places_of(plain, CHOSEN)) and plain.size == framed.size
    left, top, right, bottom = pictures_of(plain)[chosen]
    orange = (np.asarray(framed) == ImageColor.getrgb(CHOSEN)).all(axis=2)
    thick = left - np.flatnonzero(orange.any(axis=0))[0]
    assert 3 <= thick < 14
    frame = np.zeros_like(orange)
    frame[top - thick : bottom + thick, left - thick : right + thick] = True
    frame[top:bottom, left:right] = orange[top:bottom, left:right]
    below = bottom + thick
    assert np.array_equal(orange[:below], frame[:below])
    # Below the frame only the bar has its colour.
    assert edges(orange[below:].any(axis=0)) == [(left, left + bars(framed, CHOSEN)[-1])]


def test_the_chosen_one_is_also_marked_in_words():
    plain, framed = (contact_sheet(tiles([0.1, 0.1], chosen=number), title="Title") for number in (None, 1))
    left, top, right, bottom = pictures_of(plain)[1]
    assert len(places_of(framed.crop((left, top, right, bottom)), "#ffffff")) > 50, "the word on the picture is missing"


def test_a_higher_score_has_a_longer_bar():
    lengths = bars(contact_sheet(tiles([0.1, 0.3, 0.2, -0.1]), title="Title"))
    lowest, low, middle, high = sorted(lengths)
    assert lengths == [low, high, middle, lowest] and lowest > 0
    assert abs((middle - low) - (high - middle)) <= 1 and abs((low - lowest) - 2 * (middle - low)) <= 2


@pytest.mark.parametrize("score", [0.0, 0.25, -0.3])
def test_equal_scores_have_full_bars(score):
    highest = max(bars(contact_sheet(tiles([0.1, 0.3]), title="Title")))
    # "-0.300" is longer than "0.300" and leaves less room.
    assert len(set(bars(contact_sheet(tiles([score] * 2), title="Title")))) == 1
    assert bars(contact_sheet(tiles([score] * 2), title="Title"))[0] >= highest - 10


@pytest.mark.parametrize("score", [NAN, float("inf"), float("-inf")])
def test_a_score_that_is_no_number_has_a_dash_and_no_bar(score):
    sheet = contact_sheet(tiles([0.1, score, 0.3]), title="Title")
    assert len(bars(sheet)) == 2 and max(bars(sheet)) == max(bars(contact_sheet(tiles([0.1, 0.2, 0.3]), title="Title")))
    assert bars(contact_sheet(tiles([score] * 2), title="Title")) == []
    assert sheet == contact_sheet(tiles([0.1, NAN, 0.3]), title="Title")


def test_the_dash_and_the_mark_of_elision_are_in_the_font():
    missing = font(40).getmask("\u4e00")
    for sign in "-…+0":
        assert bytes(font(40).getmask(sign)) != bytes(missing), sign


def test_scores_have_three_decimals_and_zero_no_sign():
    sheets = [contact_sheet(tiles([score] * 2), title="Title") for score in (0.12349, 0.12351, -0.0001, 0.0)]
    assert sheets[0] != sheets[1] and sheets[2] == sheets[3]
    assert sheets[0] == contact_sheet(tiles([0.1231] * 2), title="Title")


def test_what_has_a_note_has_less_weight_unless_it_is_chosen():
    noted = contact_sheet(tiles([0.1, 0.3, 0.2], notes={1: "silent"}), title="Title")
    assert len(bars(noted)) == 2 and len(bars(noted, FAINT)) == 1
    both = contact_sheet(tiles([0.1, 0.3, 0.2], notes={1: "silent"}, chosen=1), title="Title")
    assert not len(places_of(both, FAINT)) and len(places_of(both, CHOSEN))
    assert both != contact_sheet(tiles([0.1, 0.3, 0.2], chosen=1), title="Title"), "the note is missing"


def test_notes_without_room_beside_the_labels_stand_below_them():
    scores = [0.1] * 16
    plain = contact_sheet(tiles(scores), title="Title")
    short = contact_sheet(tiles(scores, notes={3: "mute"}, label="{}"), title="Title")
    long = contact_sheet(tiles(scores, notes={3: "dropped after 2 of 50 steps"}), title="Title")
    assert plain.height == short.height < long.height
    (first, *others), (grown, *same) = (
        np.diff(sorted({top for _, top, _, _ in pictures_of(sheet)})) for sheet in (plain, long)
    )
    assert grown > first and same == others, "rows without notes grow as well"
    other = contact_sheet(tiles(scores, notes={3: "dropped after 9 of 50 steps"}), title="Title")
    assert long.size == other.size and long != other, "the note is missing"


@pytest.mark.parametrize("change", [{"title": "Another title"}, {"caption": "Two words"}, {"caption": "One\nTwo"}])
def test_title_and_caption_are_written(change):
    same = {"title": "Title", "caption": "One word"}
    sheet, other = (contact_sheet(tiles([0.1, 0.2]), **words) for words in (same, same | change))
    assert sheet != other
    assert (other.height > sheet.height) == ("\n" in change.get("caption", ""))


def test_long_words_stay_on_the_sheet():
    letters = font(20)
    text = "A caption that is far too long for a line " * 4 + "Sesquipedalian" * 9 + "\n\nA paragraph"
    lines = Paragraph(text, 20, 300).lines
    assert all(letters.getlength(line) <= 300 for line in lines) and lines[-2:] == ["", "A paragraph"]
    assert " ".join(lines).startswith("A caption that is far too long for a line A caption")


def test_a_long_label_loses_its_middle():
    letters = font(20)
    short = elided("seed 1234567890123456789", letters, 140)
    assert letters.getlength(short) <= 140 and short.startswith("seed 1") and short.endswith("6789") and "…" in short
    assert elided("seed 12", letters, 140) == "seed 12" and elided("seed 12", letters, 1) == "…"


@pytest.mark.parametrize("chosen", [0, 40, 99])
def test_of_more_than_64_the_best_are_drawn_and_the_chosen_one(chosen):
    scores = [NAN, *(number / 100 for number in range(1, 100))]
    many = tiles(scores, chosen=chosen)
    kept = sorted({chosen, *[number for number in range(99, 0, -1) if number != chosen][:63]})
    expected = contact_sheet(
        [many[number] for number in kept], title="Title", caption="36 more were tried and fitted less.\nCaption"
    )
    assert contact_sheet(many, title="Title", caption="Caption") == expected


def test_the_same_tiles_give_the_same_sheet():
    given = tiles([0.1, 0.3, NAN], chosen=1, notes={0: "silent"})
    assert (
        contact_sheet(given, title="T", caption="C").tobytes() == contact_sheet(given, title="T", caption="C").tobytes()
    )


def test_what_cannot_be_a_sheet_says_so():
    with pytest.raises(AlignerError, match="at least one candidate"):
        contact_sheet([], title="Title")
    with pytest.raises(AlignerError, match="at least 320 pixels, not 319"):
        contact_sheet(tiles([0.1]), title="Title", width=319)


def test_stacked_pictures_are_as_wide_as_the_widest_and_keep_their_order():
    frame, sound = Image.new("RGB", (64, 32), "#ff0000"), Image.new("L", (128, 40), 255)
    both = stacked([frame, sound])
    assert both.mode == "RGB" and both.size == (128, 64 + 40)
    assert both.getpixel((100, 60)) == (255, 0, 0) and both.getpixel((100, 70)) == (255, 255, 255)
    assert stacked([frame]).tobytes() == frame.tobytes()


def test_nothing_to_stack_is_a_small_empty_picture():
    assert {colour for _, colour in stacked([]).getcolors()} == {ImageColor.getrgb(GRID)}
