"""Model folders: written whole, or left as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from laboratory.training.assemble import write_audioldm


class Network(nn.Module):
    """Saves what it is; raises what it is told to first."""

    def __init__(self, content: str, stopped_by: BaseException | None = None):
        super().__init__()
        self.content, self.stopped_by, self.settings = content, stopped_by, {}

    def save_pretrained(self, folder: Path, safe_serialization: bool) -> None:
        if self.stopped_by:
            raise self.stopped_by
        folder.mkdir()
        (folder / "model.safetensors").write_text(f"{self.content} {self.settings}", encoding="utf-8")

    def register_to_config(self, **settings: float) -> None:
        self.settings |= settings


@pytest.fixture
def write(tmp_path):
    """Writes an AudioLDM of four networks that save a text, of which the last one may raise."""
    tokenizer = tmp_path / "tokenizer"
    tokenizer.mkdir()
    (tokenizer / "vocab.json").write_text("{}", encoding="utf-8")

    def written(content: str, stopped_by: BaseException | None = None) -> None:
        write_audioldm(
            Network(content),
            Network(content),
            Network(content),
            Network(content, stopped_by),
            tokenizer,
            0.5,
            tmp_path / "weights",
        )

    return written


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_that_is_there_is_replaced_as_a_whole(tmp_path, write):
    write("earlier")
    (tmp_path / "weights" / "audioldm" / "stray.txt").write_text("of an older layout", encoding="utf-8")
    write("later")
    found = contents(tmp_path / "weights")
    assert found["audioldm/vae/model.safetensors"] == "later {'scaling_factor': 0.5}"
    assert found["audioldm/tokenizer/vocab.json"] == "{}" and "audioldm/scheduler/scheduler_config.json" in found
    assert "earlier" not in "".join(found.values()) and "audioldm/stray.txt" not in found


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError("the disk is full")])
def test_writing_that_is_stopped_leaves_the_old_folder(tmp_path, write, stop):
    write("old")
    before = contents(tmp_path / "weights")
    with pytest.raises(type(stop)):
        write("new", stopped_by=stop)
    assert contents(tmp_path / "weights") == before
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["audioldm"]


def test_the_first_writing_that_is_stopped_leaves_nothing(tmp_path, write):
    with pytest.raises(KeyboardInterrupt):
        write("new", stopped_by=KeyboardInterrupt())
    assert not list((tmp_path / "weights").iterdir())


def test_a_folder_that_cannot_take_its_place_does_not_cost_the_old_one(tmp_path, write, monkeypatch):
    """As where a program has a file of it open and the system minds."""
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
