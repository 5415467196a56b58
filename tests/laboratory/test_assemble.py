"""Model folders are written as a whole, or left as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from laboratory.training.assemble import write_audioldm


class Network(nn.Module):
    """Saves a text in place of weights, or raises an exception."""

    def __init__(self, content: str, error: BaseException | None = None):
        super().__init__()
        self.content, self.error, self.settings = content, error, {}

    def save_pretrained(self, folder: Path, safe_serialization: bool) -> None:
        if self.error:
            raise self.error
        folder.mkdir()
        (folder / "model.safetensors").write_text(f"{self.content} {self.settings}", encoding="utf-8")

    def register_to_config(self, **settings: float) -> None:
        self.settings |= settings


@pytest.fixture
def write(tmp_path):
    """Writes an AudioLDM of four networks that save a text. The last one raises `error`, if given."""
    tokenizer = tmp_path / "tokenizer"
    tokenizer.mkdir()
    (tokenizer / "vocab.json").write_text("{}", encoding="utf-8")

    def written(content: str, error: BaseException | None = None) -> None:
        write_audioldm(
            Network(content),
            Network(content),
            Network(content),
            Network(content, error),
            tokenizer,
            0.5,
            tmp_path / "weights" / "audioldm",
        )

    return written


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_existing_folder_is_replaced_as_a_whole(tmp_path, write):
    write("earlier")
    (tmp_path / "weights" / "audioldm" / "stray.txt").write_text("of another layout", encoding="utf-8")
    write("later")
    found = contents(tmp_path / "weights")
    assert found["audioldm/vae/model.safetensors"] == "later {'scaling_factor': 0.5}"
    assert found["audioldm/tokenizer/vocab.json"] == "{}" and "audioldm/scheduler/scheduler_config.json" in found
    assert "earlier" not in "".join(found.values()) and "audioldm/stray.txt" not in found


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("the disk is full")])
def test_a_failed_write_leaves_the_old_folder(tmp_path, write, error):
    write("old")
    before = contents(tmp_path / "weights")
    with pytest.raises(type(error)):
        write("new", error)
    assert contents(tmp_path / "weights") == before
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["audioldm"]


def test_a_failed_first_write_leaves_nothing(tmp_path, write):
    with pytest.raises(KeyboardInterrupt):
        write("new", KeyboardInterrupt())
    assert not list((tmp_path / "weights").iterdir())


def test_a_new_folder_that_cannot_be_renamed_leaves_the_old_one(tmp_path, write, monkeypatch):
    """Windows refuses to rename a folder while another program has one of its files open."""
    write("old")
    before, rename = contents(tmp_path / "weights"), Path.rename

    def refused(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise PermissionError(13, "Access is denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(PermissionError):
        write("new")
    assert contents(tmp_path / "weights") == before
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["audioldm"]
