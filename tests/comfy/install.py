"""Find the ComfyUI folders on this machine and give each a Python environment of its own.

A ComfyUI release pins its front end and its templates, so two releases cannot share one environment. What
they share is large, though: PyTorch and the model libraries. So each gets a layer: a small virtual
environment that sees the packages of the environment that runs the tests, and adds what is missing there. The
fixture `comfyui` makes it when it is first needed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from run import (
    CONSTRAINTS,
    ENVIRONMENT,
    SetupError,
    create_environment,
    install,
    python_of,
)

VARIABLE = "COMFYUI_PATH"
NOT_FOUND = f"No ComfyUI here, so its tests are skipped. {VARIABLE} may name its folder, or several."


@dataclass(frozen=True)
class ComfyUI:
    """One ComfyUI folder, and its version as in comfyui_version.py."""

    folder: Path
    version: str

    @property
    def requirements(self) -> Path:
        return self.folder / "requirements.txt"


def find() -> list[ComfyUI]:
    """Every ComfyUI to test with: those that COMFYUI_PATH names, else those where comfy-cli installs them.

    COMFYUI_PATH holds one folder or several, separated as in PATH.
    Raises SetupError if it names a folder that holds no ComfyUI.
    """
    named = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    if not named:
        return [found for found in map(comfyui_in, usual_folders()) if found]
    folders = [Path(folder).expanduser().resolve() for folder in named]
    installations = [comfyui_in(folder) for folder in folders]
    if None in installations:
        raise SetupError(
            f"{VARIABLE} names {folders[installations.index(None)]}, but no ComfyUI is there: "
            "it must be a folder that holds ComfyUI's main.py."
        )
    return installations


def usual_folders() -> list[Path]:
    """comfy-cli's default workspace on Linux, then on macOS and Windows, and other versions beside it."""
    workspaces = [Path.home() / "comfy", Path.home() / "Documents" / "comfy"]
    return [
        folder for workspace in workspaces for folder in (workspace / "ComfyUI", *sorted(workspace.glob("ComfyUI-*")))
    ]


def comfyui_in(folder: Path) -> ComfyUI | None:
    version_file = folder / "comfyui_version.py"
    if not version_file.is_file() or not (folder / "main.py").is_file():
        return None
    version = re.search(r'__version__ = "(.+)"', version_file.read_text(encoding="utf-8"))
    return ComfyUI(folder, version[1])


def python_for(comfyui: ComfyUI) -> Path:
    """The Python that runs this ComfyUI: its layer is made on first use and when a requirement changes."""
    requirements = comfyui.requirements.read_text(encoding="utf-8")
    constraints = compatible_constraints(CONSTRAINTS.read_text(encoding="utf-8"), requirements)
    shared = "\n".join(sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    contents = "\n".join([sys.version, shared, constraints, requirements])
    layer = ENVIRONMENT / f"comfyui-{comfyui.version}-{hashlib.sha256(contents.encode()).hexdigest()[:8]}"
    if not layer.exists():
        # Made under another name first, so that a folder with the final name is always complete.
        unfinished = layer.with_name(f"{layer.name}.{os.getpid()}")
        try:
            make_layer(unfinished, shared, constraints, comfyui)
            if not layer.exists():  # a second test run may have been faster
                unfinished.rename(layer)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return python_of(layer)


def make_layer(folder: Path, shared: str, constraints: str, comfyui: ComfyUI) -> None:
    """Make a virtual environment that sees the `shared` package folders, and add what ComfyUI still needs."""
    python = create_environment(folder)
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'), end='')"]
    site_packages = Path(subprocess.run(ask, check=True, capture_output=True, text=True).stdout)
    (site_packages / "shared.pth").write_text(shared)  # in the locale's encoding, as Python reads it
    (folder / "constraints.txt").write_text(constraints, encoding="utf-8")
    install(
        python,
        f"what ComfyUI {comfyui.version} needs",
        ["-r", comfyui.requirements],
        constraints=folder / "constraints.txt",
    )


def compatible_constraints(constraints: str, requirements: str) -> str:
    """Our constraints without the packages for which ComfyUI's requirements name a version: its word counts.

    pip still takes the shared version of such a package where that satisfies ComfyUI.
    """
    settled = {name for name, version in map(package, requirements.splitlines()) if version}
    return "\n".join(line for line in constraints.splitlines() if package(line)[0] not in settled)


def package_names(requirements: Path) -> set[str]:
    """The packages that a requirements file lists."""
    return {name for name, _ in map(package, requirements.read_text(encoding="utf-8").splitlines()) if name}


def package(line: str) -> tuple[str, str]:
    """Name, as PEP 503 compares it, and version specifier of a requirement; empty if the line holds none."""
    match = re.match(r"([A-Za-z0-9][\w.-]*)\s*([<>=!~][^;#]*)?", line)
    return (re.sub(r"[-_.]+", "-", match[1]).lower(), match[2] or "") if match else ("", "")
