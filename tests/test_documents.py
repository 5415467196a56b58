"""The documents keep up with the code: links resolve, examples run, names are those of today."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from aligner.cli import parsed
from aligner.demo.examples import EXAMPLE_SOUND, EXAMPLE_VIDEO
from aligner.demo.family import AUDIOLDM, IMAGEBIND, MM_DIFFUSION, MOTION, STABLE_DIFFUSION
from laboratory.random_clap import write_random_clap
from laboratory.random_pe_av import write_random_pe_av
from run import ROOT

DOCUMENTS = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "web" / "docs").glob("*.md"),
        *(ROOT / "aligner").rglob("*.md"),
        *(ROOT / "laboratory").rglob("*.md"),
    ]
)
#: ComfyUI's registry shows the README whole, and nobody reads a long one.
LARGEST_README = 10_000

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND_LINE = re.compile(r"^python -m aligner (.+)$", re.MULTILINE)

#: Names that are gone, as patterns, and what replaced them.
REPLACED = {
    r"guidance_settings|GuidanceSettings|Guidance Settings": "Search Settings and Gradient Settings",
    r"GuidedAudioLDMSampler|Guided AudioLDM Sampler": "SeeingHearingAudioSampler, Guided Audio Sampler",
    r"GuidedAnimateDiffSampler|Guided AnimateDiff Sampler": "SeeingHearingVideoSampler, Guided Video Sampler",
    r"Joint Video-Audio Sampler": "Guided Joint Sampler",
    r"\bGuidance\(|\bGuidance\.of\b": "Search, Released, Paper and Unguided",
    r"\bTogether\(|generators\.together": "JointDenoiser",
    r"\bcouplings\b": "coupled_streams",
    r"\bstepping\b": "active_streams",
    r"\bglance\b": "decode_approximately",
    r"\bHosted\b|\bhosting\.": "ManagedModel, managed_model",
    r"\bPAPER_RATES\b": "settings.GRADIENT",
    r"\bchosen_at\b|--chosen-at\b": "at",
    r"\bcontext_frames\b|--frames-at-once\b": "window_frames",
    r"--seconds-at-once\b": "window_seconds",
    r"\bframe_count\b": "frames",
    r"\bAUDIO_TO_VIDEO\b|\bVIDEO_TO_AUDIO\b|aligner[./]tasks": "aligner.settings",
    r"aligner[./](imagebind|encoding|objective|candidates|timeline)\b": "aligner.binders, conditions and guidance",
    r"aligner[./]demo[./](world|training|evaluation|evaluate|train|report)\b": "laboratory",
    r"python -m benchmarks\b": "python -m laboratory.benchmarks",
}
BINARY = {".safetensors", ".png", ".jpg", ".webp", ".mp4", ".wav", ".gif"}
#: This list itself, and a log, which keeps the names of its day.
EXEMPT = {Path(__file__), ROOT / "laboratory" / "report" / "development.jsonl"}


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text_of(document))):
        words = LINK.sub("", heading).replace("[", "").replace("`", "").lower()
        anchor = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        number = 0
        while (name := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(name)
    return found


def relative_links(document: Path) -> Iterator[str]:
    """The links of a document to other files and to headings."""
    for link in LINK.findall(CODE.sub("", FENCE.sub("", text_of(document)))):
        if "://" not in link and not link.startswith("mailto:"):
            yield unquote(link)


def broken_links(document: Path) -> list[str]:
    """The links that lead nowhere."""
    broken = []
    for link in relative_links(document):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and (target.suffix != ".md" or anchor not in anchors(target))):
            broken.append(link)
    return broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_resolves(document):
    assert broken_links(document) == []


def test_a_link_that_leads_nowhere_would_be_found(tmp_path):
    document = tmp_path / "page.md"
    document.write_text(
        "# A `b`, c\n[good](#a-b-c) [none](#a) [gone](gone.md) ![x](x.png)\n```\n[no](link.md)\n```\n"
        "[elsewhere](https://example.org/gone.md)\n"
    )
    assert broken_links(document) == ["#a", "gone.md", "x.png"]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) < LARGEST_README


@pytest.mark.parametrize(
    "page, pattern", [("README.md", "workflows/*.json"), ("README.md", "docs/*.md"), ("docs/nodes.md", "web/docs/*.md")]
)
def test_every_page_and_workflow_is_linked(page, pattern):
    links = {((ROOT / page).parent / link).resolve() for link in relative_links(ROOT / page)}
    assert set(ROOT.glob(pattern)) - links == set()


def test_every_page_belongs_to_a_node():
    sources = "".join(text_of(path) for path in (ROOT / "nodes").rglob("*.py"))
    nodes = set(re.findall(r'node_id="(\w+)"', sources))
    assert {path.stem for path in (ROOT / "web" / "docs").glob("*.md")} == nodes


def test_the_newest_version_is_in_the_changelog():
    released = re.findall(r"^## \[(.+?)\] - \d{4}-\d{2}-\d{2}$", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)
    (version,) = re.findall(r'^version = "(.+)"$', text_of(ROOT / "pyproject.toml"), re.MULTILINE)
    assert released[0] == version


@pytest.mark.parametrize("name", ["test/table.md", "test/native.md", "test/coupled.md"])
def test_the_evaluation_shows_the_measured_table(name):
    measured = text_of(ROOT / "laboratory" / "report" / name)
    (shown,) = re.findall(
        rf"^<!-- report: {re.escape(name)} -->\n(.*?)^<!-- end -->$",
        text_of(ROOT / "docs" / "evaluation.md"),
        re.MULTILINE | re.DOTALL,
    )
    assert shown.strip() == measured.strip()


def text_files() -> list[Path]:
    """Every text file that belongs to the project: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("This copy of the project is no git repository, which alone knows what belongs to it.")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and path.suffix not in BINARY and path not in EXEMPT]


@pytest.mark.parametrize("pattern", REPLACED)
def test_no_file_uses_a_replaced_name(pattern):
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in text_files()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if re.search(pattern, line)
    ]
    assert found == [], f"Use instead: {REPLACED[pattern]}"


def test_the_help_lists_the_commands_of_the_page():
    done = subprocess.run([sys.executable, "-m", "aligner", "--help"], cwd=ROOT, capture_output=True, text=True)
    listed = set(re.findall(r"^    ([a-z0-9-]+)(?:  |$)", done.stdout, re.MULTILINE))
    page = text_of(ROOT / "docs" / "command-line.md")
    assert listed == set(re.findall(r"^\| \[`([\w-]+)`\]\(#[\w-]+\)", page, re.MULTILINE))
    assert listed <= anchors(ROOT / "docs" / "command-line.md")


@pytest.mark.parametrize("name", ["docs/command-line.md", "docs/troubleshooting.md"])
def test_every_command_line_is_understood(name):
    lines = COMMAND_LINE.findall(text_of(ROOT / name))
    assert lines
    for line in lines:
        assert parsed(shlex.split(line)).command


@pytest.fixture
def example_files(tmp_path, monkeypatch):
    """A folder with the files that the examples name: built-in models and recordings behind these paths."""
    for name, source in {
        "models/imagebind/imagebind_huge.safetensors": IMAGEBIND,
        "models/audioldm/audioldm-m-full": AUDIOLDM,
        "models/diffusers/stable-diffusion-v1-5": STABLE_DIFFUSION,
        "models/animatediff_models/animatediff-motion-adapter-v1-5-2": MOTION,
        "models/mm_diffusion/Landscape.safetensors": MM_DIFFUSION,
        "clip.mp4": EXAMPLE_VIDEO,
        "birds.wav": EXAMPLE_SOUND,
    }.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, place)
    write_random_pe_av(tmp_path / "models" / "pe_av" / "pe-av-large")
    write_random_clap(tmp_path / "models" / "clap" / "clap-htsat-unfused")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def small(code: str) -> str:
    """The same example with few steps and candidates, and small frames."""
    code = re.sub(r"steps=\d+", "steps=2", code)
    code = re.sub(r'candidates=\{"audio": \d+\}', 'candidates={"audio": 2}', code)
    return re.sub(r"(width|height)=\d+", r"\1=32", code)


def test_the_examples_of_the_python_page_run(example_files, capsys):
    blocks = PYTHON.findall(text_of(ROOT / "docs" / "python.md"))
    # One file, as in one session.
    session = example_files / "session.py"
    session.write_text(small("\n".join(blocks)), encoding="utf-8")
    runpy.run_path(str(session))
    assert (example_files / "out.mp4").stat().st_size and (example_files / "birds.mp4").stat().st_size
    assert "the paper tensor([" in capsys.readouterr().out
