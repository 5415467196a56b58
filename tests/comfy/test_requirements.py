"""Installing this project changes none of ComfyUI's packages."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from run import ROOT, create_environment, python_of

from .install import NOT_FOUND, ComfyUI, find, package_names, python_for

#: A program for ComfyUI's Python. It prints the metadata folders of ComfyUI's requirements and of all that they need.
CLOSURE = """
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name
waiting, found = sys.argv[1:], {}
while waiting:
    name = canonicalize_name(waiting.pop())
    if name in found:
        continue
    try:
        found[name] = distribution(name)
    except PackageNotFoundError:
        continue
    for line in found[name].requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            waiting.append(requirement.name)
for each in found.values():
    print(each._path)
"""


@pytest.mark.parametrize("comfyui", find() or [None], ids=lambda found: found.version if found else "none")
def test_nothing_that_comfyui_brought_is_changed(comfyui: ComfyUI | None, tmp_path: Path) -> None:
    """A dry run of pip in an environment that has exactly ComfyUI's packages."""
    if comfyui is None:
        pytest.skip(NOT_FOUND)
    environment = tmp_path / "environment"
    provided = brought(comfyui)
    had = set(map(name_of, provided))
    assert {"torch", "transformers", "numpy", "huggingface-hub"} <= had
    site_packages = site_packages_of(create_environment(environment))
    for folder in provided:
        if folder.suffix == ".dist-info" and not (site_packages / folder.name).exists():
            shutil.copytree(folder, site_packages / folder.name)
    report = tmp_path / "report.json"
    command = [
        python_of(environment),
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--quiet",
        "--disable-pip-version-check",
        "--report",
        report,
        "-r",
        ROOT / "requirements.txt",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    added = {
        item["metadata"]["name"].lower().replace("_", "-")
        for item in json.loads(report.read_text(encoding="utf-8"))["install"]
    }
    assert added >= {"diffusers", "open-clip-torch"}
    assert not added & had, "pip would change these"


def brought(comfyui: ComfyUI) -> list[Path]:
    """The metadata folders of ComfyUI's requirements and of all that they need."""
    command = [python_for(comfyui), "-c", CLOSURE, *package_names(comfyui.requirements)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [Path(line) for line in done.stdout.splitlines()]


def name_of(folder: Path) -> str:
    """The package's name: huggingface-hub for huggingface_hub-1.2.dist-info."""
    return folder.name.split("-")[0].lower().replace("_", "-").replace(".", "-")


def site_packages_of(python: Path) -> Path:
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'), end='')"]
    return Path(subprocess.run(ask, check=True, capture_output=True, text=True).stdout)
