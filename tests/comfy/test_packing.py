"""The zip file that the registry hands out: valid, complete, and without files that only developers need."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from run import ROOT

from .packing import comfy, pack

#: The most characters of a name for registries and file systems, and of a whole path for Windows.
LONGEST_NAME, LONGEST_PATH = 100, 140
LARGEST_PACK = 28 * 2**20


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("pack"))


@pytest.fixture(scope="module")
def names(packed: Path) -> list[str]:
    with zipfile.ZipFile(packed) as content:
        return content.namelist()


def test_the_registry_would_accept_it(packed: Path, tmp_path: Path) -> None:
    said = comfy(packed.parent, tmp_path, "node", "validate")
    assert "validation" in said.lower() and "warning" not in said.lower(), said


def test_only_the_files_that_run_are_packed(packed: Path, names: list[str]) -> None:
    for wanted in (
        "__init__.py",
        "pyproject.toml",
        "requirements.txt",
        "LICENSE",
        "README.md",
        "nodes/__init__.py",
        "aligner/sampling.py",
        "aligner/demo/weights/imagebind.safetensors",
        "aligner/demo/examples/example.mp4",
        "locales/zh/nodeDefs.json",
        "workflows/Video to Sound.json",
        "workflows/Video to Sound.jpg",
        "web/docs/SeeingHearingEncodeCondition.md",
    ):
        assert wanted in names
    unwanted = ("tests", "laboratory", "docs", ".ci", ".env", "out", "run.py", "constraints.txt")
    assert not [name for name in names if name.split("/")[0] in unwanted]
    assert not [name for name in names if "training" in name or name.endswith((".jsonl", ".log"))]
    assert packed.stat().st_size < LARGEST_PACK


def test_names_fit_every_file_system(names: list[str]) -> None:
    forbidden = set('<>:"\\|?*')
    reserved = {"con", "prn", "aux", "nul", *(f"{port}{k}" for port in ("com", "lpt") for k in range(1, 10))}
    for name in names:
        assert len(name) <= LONGEST_PATH and all(len(part) < LONGEST_NAME for part in name.split("/")), name
        assert not forbidden & set(name) and name.isascii(), name
        assert not any(
            part.split(".")[0].lower() in reserved or part != part.rstrip(". ") for part in name.split("/")
        ), name
    assert len({name.lower() for name in names}) == len(names)


def test_no_links_and_unix_line_ends() -> None:
    listed = subprocess.run(["git", "ls-files", "--stage", "--eol"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("This copy of the project is no git repository, which alone knows of links and line ends.")
    for line in listed.stdout.splitlines():
        kept, path = line.split("\t", 1)
        assert not kept.startswith("120000"), f"{path} is a link"
        assert "i/crlf" not in kept and "i/mixed" not in kept, f"{path} has line ends of Windows"


def test_no_shell_script_is_packed(names: list[str]) -> None:
    assert not [name for name in names if name.endswith((".sh", ".bash", ".bat", ".ps1"))]


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
def test_every_label_is_translated(language: str) -> None:
    """A test in the server compares the English file with the nodes."""
    read = {
        name: json.loads((ROOT / "locales" / name / "nodeDefs.json").read_text(encoding="utf-8"))
        for name in ("en", language)
    }
    assert shape(read[language]) == shape(read["en"])
    for words, english in zip(strings(read[language]), strings(read["en"]), strict=True):
        assert words.strip()
        # A sentence has letters of its language's script. Names such as "AudioLDM" need none.
        assert language == "en" or " " not in english or any(ord(letter) > 0x2E80 for letter in words), words


def shape(value: object) -> object:
    """The keys alone."""
    return {key: shape(held) for key, held in value.items()} if isinstance(value, dict) else None


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [words for held in value.values() for words in strings(held)]
    return [value]
