"""Finding ComfyUI folders, and what is installed for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from run import ROOT, SetupError

from .install import NOT_FOUND, ComfyUI, compatible_constraints, find, package_names


def make_comfyui(folder: Path, version: str) -> ComfyUI:
    folder.mkdir(parents=True)
    (folder / "main.py").touch()
    (folder / "comfyui_version.py").write_text(f'# generated\n__version__ = "{version}"\n')
    return ComfyUI(folder, version)


def test_variable_names_one_folder_or_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = make_comfyui(tmp_path / "a", "0.3.64"), make_comfyui(tmp_path / "b", "0.33.0")
    monkeypatch.setenv("COMFYUI_PATH", os.pathsep.join([str(first.folder), str(second.folder)]))
    assert find() == [first, second]
    monkeypatch.setenv("COMFYUI_PATH", str(second.folder))
    assert find() == [second]


def test_variable_that_names_no_comfyui_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(SetupError, match="no ComfyUI is there"):
        find()


@pytest.mark.parametrize("workspace", ["comfy", "Documents/comfy"])
def test_usual_folders_are_found_without_the_variable(
    workspace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYUI_PATH", "")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert find() == []
    current = make_comfyui(tmp_path / workspace / "ComfyUI", "0.33.0")
    older = make_comfyui(tmp_path / workspace / "ComfyUI-0.3.64", "0.3.64")
    (tmp_path / workspace / "ComfyUI-notes").mkdir()
    assert find() == [current, older]


def test_a_version_that_comfyui_asks_for_replaces_ours() -> None:
    ours = "# stack\ntorch==2.11.0\nComfy_Kitchen==1.0\nav==17.1.0; python_version < '3.11'\nnumpy==2.4.6"
    theirs = "torch\ncomfy-kitchen==0.2.31\nav>=14.2.0\n\n# numpy>=1\nnumpy  # any"
    assert compatible_constraints(ours, theirs) == "# stack\ntorch==2.11.0\nnumpy==2.4.6"


@pytest.mark.parametrize("comfyui", find() or [None], ids=lambda found: found.version if found else "none")
def test_requirements_list_exactly_what_comfyui_lacks(comfyui: ComfyUI | None) -> None:
    if comfyui is None:
        pytest.skip(NOT_FOUND)
    provided = package_names(comfyui.requirements)
    assert package_names(ROOT / "requirements.txt").isdisjoint(provided)
    assert package_names(ROOT / "requirements-standalone.txt") <= provided
