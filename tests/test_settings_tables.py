"""Tables of settings in documents are those of `aligner.settings`."""

from __future__ import annotations

import pytest

from aligner import settings
from aligner.errors import AlignerError
from laboratory.documents import filled, listing, outdated, table

BLOCK = "before\n\n<!-- settings: {} -->\nanything\n<!-- end -->\n\nafter\n"


def test_the_settings_in_all_documents_are_up_to_date():
    """`python -m laboratory.documents` writes them."""
    assert not outdated()


def test_a_block_becomes_a_table_and_the_rest_stays():
    text = filled(BLOCK.format("AUDIO_CANDIDATES, CLIPS"), table)
    assert text.startswith("before\n\n<!-- settings: AUDIO_CANDIDATES, CLIPS -->\n\n| setting |")
    assert text.endswith("| short, seconds, spread | short |\n\n<!-- end -->\n\nafter\n")
    assert f"\n| audio_candidates | {settings.AUDIO_CANDIDATES.description} | 1 to 64 | 16 |\n" in text
    assert "anything" not in text and filled(text, table) == text


def test_a_help_page_gets_a_list_with_the_labels_of_the_page():
    text = filled(BLOCK.format("AUDIO_CANDIDATES"), listing)
    assert f"\n- `audio candidates`: {settings.AUDIO_CANDIDATES.description} *1 to 64; default 16*\n" in text


def test_a_tuple_of_settings_gives_a_row_for_each():
    _, *rows = (line for line in filled(BLOCK.format("GRADIENT"), table).splitlines() if line.startswith("| "))
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [each.name for each in settings.GRADIENT]


@pytest.mark.parametrize(
    "text, message",
    [(BLOCK.format("NOTHING"), "no setting NOTHING"), ("<!-- settings: SEED -->\n", "has no end")],
)
def test_a_wrong_block_is_an_error(text, message):
    with pytest.raises(AlignerError, match=message):
        filled(text, table)


def test_an_outdated_document_is_found_and_a_wrong_one_named(tmp_path):
    (tmp_path / "docs").mkdir()
    document = tmp_path / "docs" / "guide.md"
    document.write_text(BLOCK.format("SEED"), encoding="utf-8")
    assert outdated(tmp_path) == {document: filled(BLOCK.format("SEED"), table)}
    document.write_text(BLOCK.format("SEEDS"), encoding="utf-8")
    with pytest.raises(AlignerError, match=r"guide.md: There is no setting SEEDS"):
        outdated(tmp_path)
