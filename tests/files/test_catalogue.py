"""Models that are found in a folder, and odd entries beside them."""

from __future__ import annotations

import os
import warnings

import pytest

from aligner.errors import AlignerWarning
from aligner.files.catalogue import files_matching


def odd(place, name: str) -> None:
    """Make an entry of a kind that can not be read as a description."""
    if name == "folder":
        place.mkdir()
    elif name == "link":
        place.symlink_to("nowhere")
    else:
        os.mkfifo(place)


@pytest.mark.parametrize("name", ["folder", "link", *(["pipe"] if hasattr(os, "mkfifo") else [])])
def test_an_odd_entry_is_left_out_with_a_warning_and_hides_no_other(tmp_path, name):
    for model in ("good", name, "noise"):
        (tmp_path / model).mkdir()
    (tmp_path / "good" / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "noise" / "config.json").write_bytes(bytes(range(256)))
    odd(tmp_path / name / "config.json", name)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = {path.parent.name for path in files_matching(tmp_path, "*/config.json")}
    assert found == {"good", "noise"}
    # Some versions of Python do not list a link to nowhere.
    assert name == "link" or [str(each.message) for each in told if each.category is AlignerWarning] == [
        f"{tmp_path / name / 'config.json'} is left out: it is no regular file."
    ]


def test_only_descriptions_that_hold_a_text_are_found(tmp_path):
    for model, text in (("one", "MotionAdapter"), ("other", "UNet")):
        (tmp_path / model).mkdir()
        (tmp_path / model / "config.json").write_text(text, encoding="utf-8")
    assert [path.parent.name for path in files_matching(tmp_path, "*/config.json", "MotionAdapter")] == ["one"]


def test_a_folder_that_is_missing_holds_no_model(tmp_path):
    assert not list(files_matching(tmp_path / "nowhere", "*/config.json"))
