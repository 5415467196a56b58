"""Model folders: their settings are copied without code, and none of their layers is left aside."""

from __future__ import annotations

import json

import pytest

from aligner.errors import listed
from aligner.files.diffusers_folders import read_json
from aligner.files.strict_loading import unread
from aligner.files.without_code import settings_without_code


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "code.Evil"}, "width": 3}))
    return folder


def copied(folder) -> dict[str, bytes]:
    with settings_without_code(folder) as copy:
        return {path.relative_to(copy).as_posix(): path.read_bytes() for path in copy.rglob("*") if path.is_file()}


def test_links_to_folders_are_not_followed(folder, tmp_path):
    (folder / "a").symlink_to(".")
    (folder / "b").symlink_to(".")
    (folder / "everything").symlink_to("/")
    (tmp_path / "blob").write_text("words")
    (folder / "vocab.txt").symlink_to(tmp_path / "blob")  # as in a hub's cache
    assert copied(folder) == {"config.json": b'{"width": 3}', "vocab.txt": b"words"}


def test_what_is_large_is_no_setting(folder):
    with (folder / "dump.dat").open("wb") as file:
        file.truncate(2**32)
    assert set(copied(folder)) == {"config.json"}


@pytest.mark.parametrize("content", ["", '{"a": 1}\n{"b": 2}\n', "[" * 100_000])
def test_a_note_that_is_no_json_costs_no_model(folder, content):
    (folder / "notes.json").write_text(content)
    assert set(copied(folder)) == {"config.json"}


def test_a_config_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "config.json").write_text('{"width": 3}', encoding="utf-8-sig")
    assert read_json(tmp_path / "config.json") == {"width": 3}


def test_names_in_messages_are_short_and_in_one_line():
    message = listed(["x" * 100_000, "a\nb\x1b[31m"])
    assert len(message) < 300 and "\n" not in message and "\x1b" not in message


def test_a_layer_more_than_the_network_has_is_none_that_may_be_left_aside():
    wanted = ["encoder.layers.0.fc.weight", "encoder.layers.1.fc.weight", "final.weight"]
    more, ema = "encoder.layers.2.fc.weight", "ema.decay"
    assert unread([*wanted, more, ema], wanted) == [ema]
