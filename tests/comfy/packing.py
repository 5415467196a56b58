"""The zip file that the registry hands out, made by comfy-cli as a publisher makes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from run import ROOT

NOT_SHIPPED = shutil.ignore_patterns(".git", ".env", "out", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")


def pack(folder: Path) -> Path:
    """Pack this project as it stands now. Returns the zip file, in `folder`.

    comfy-cli packs the files of a git repository: here a new one with all files that are not ignored.
    """
    project = folder / "project"
    shutil.copytree(ROOT, project, ignore=NOT_SHIPPED)
    for arguments in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *arguments], cwd=project, check=True, capture_output=True)
    comfy(project, folder, "node", "pack")
    return project / "node.zip"


def comfy(project: Path, home: Path, *arguments: str) -> str:
    """Run comfy-cli in a folder, with a home of its own; returns what it says, or raises RuntimeError with it."""
    command = [sys.executable, "-m", "comfy_cli", "--skip-prompt", "--no-enable-telemetry", *arguments]
    environment = os.environ | {"HOME": str(home), "USERPROFILE": str(home), "XDG_CONFIG_HOME": str(home)}
    done = subprocess.run(
        command,
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


def unpack(zip_file: Path, folder: Path) -> None:
    """Lay out a packed project as the registry's installers do."""
    with zipfile.ZipFile(zip_file) as packed:
        packed.extractall(folder)
