"""Set up this project's own Python environment, then run something in it.

    python3 run.py demo [options]           a sound for a clip, then a clip and its sound from words, into out/
    python3 run.py test [pytest options]    the test suite

The environment is the folder .env beside this file. It is made on first use and completed when the
requirement files change; delete it to start afresh. Standard library only: this file runs before anything is
installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".env"
CONSTRAINTS = ROOT / "constraints.txt"

OLDEST_PYTHON = (3, 10)
NEWEST_TESTED_PYTHON = (3, 12)


@dataclass(frozen=True)
class Packages:
    """Packages that are installed together: requirement files relative to ROOT, and words for the screen."""

    name: str
    description: str
    files: tuple[str, ...]
    dependencies: bool = True

    def pip_arguments(self) -> list[str]:
        files = [argument for file in self.files for argument in ("-r", file)]
        return files if self.dependencies else ["--no-deps", *files]

    def fingerprint(self) -> str:
        """A hash of everything that decides what pip would install."""
        contents = [path.read_bytes() for path in (CONSTRAINTS, *(ROOT / file for file in self.files))]
        return hashlib.sha256(b"\n".join(contents)).hexdigest()


LIBRARIES = Packages(
    "libraries",
    "PyTorch and the model libraries (about 5 GB on Linux)",
    ("requirements.txt", "requirements-standalone.txt"),
)
TEST_TOOLS = Packages("test-tools", "the test tools", ("tests/requirements.txt",))
TEST_REFERENCES = Packages(
    "test-references", "the reference implementations", ("tests/requirements-no-deps.txt",), dependencies=False
)


class SetupError(Exception):
    """The environment could not be made; the message says why and what to do."""


def check_python(version: tuple[int, int]) -> None:
    """Refuse a Python that is too old; warn about one that is newer than the tested ones."""
    name = "{}.{}".format(*version)
    if version < OLDEST_PYTHON:
        raise SetupError(
            f"This is Python {name}, and 3.10, 3.11 or 3.12 is needed. "
            "Start a newer one by its name, for example: python3.12 run.py demo"
        )
    if version > NEWEST_TESTED_PYTHON:
        print(
            f"Python {name} is newer than the tested ones (3.10 to 3.12): if a package will not install, "
            "use Python 3.12."
        )


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def create_environment(environment: Path) -> Path:
    """Make a virtual environment, or keep the one that is there and works. Returns its Python."""
    python = python_of(environment)
    if python.exists():
        check = subprocess.run([python, "-c", "import pip"], stderr=subprocess.DEVNULL)
        if check.returncode == 0:
            return python
    # --clear also replaces what an interrupted set-up or a removed system Python has left.
    created = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", environment],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if created.returncode != 0:
        raise SetupError(
            f"{created.stdout}\nPython could not make a virtual environment in {environment}. "
            "On Debian and Ubuntu, install the package python3-venv first."
        )
    return python


def install(python: Path, description: str, arguments: list[str | Path], constraints: Path = CONSTRAINTS) -> None:
    """Run `pip install` with one line of progress; pip's own words are shown only if it fails."""
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "-c",
        constraints,
        *arguments,
    ]
    print(f"Installing {description} ...", flush=True)
    start = time.monotonic()
    pip = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    output = []
    try:
        for line in pip.stdout:
            output.append(line)
            show_progress(line)
        status = pip.wait()
    finally:
        pip.kill()
        show_progress("")
    if status != 0:
        raise SetupError(
            "".join(output) + f"\npip could not install {description}; its own words are above. "
            "Check the network and the free disk space, then run the same command again."
        )
    print(f"  done in {time.monotonic() - start:.0f} s", flush=True)


def show_progress(line: str) -> None:
    """On a terminal, show what pip is doing in one line that the next call overwrites; elsewhere nothing."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 3
        print("\r  " + line.split(" (from ")[0].strip()[:width].ljust(width) + "\r", end="", flush=True)


def prepare(*wanted: Packages) -> Path:
    """Make .env hold these packages, installing only what changed since last time. Returns its Python."""
    if not python_of(ENVIRONMENT).exists():
        print(f"Setting up {ENVIRONMENT} (Python {sys.version.split()[0]}); this happens once.", flush=True)
    python = create_environment(ENVIRONMENT)
    for packages in wanted:
        stamp = ENVIRONMENT / f"{packages.name}.installed"
        if not stamp.exists() or stamp.read_text() != packages.fingerprint():
            install(python, packages.description, packages.pip_arguments())
            stamp.write_text(packages.fingerprint())
    return python


def run(python: Path, *arguments: str) -> int:
    """Run Python in the project's folder and return its exit status; Ctrl-C is the child's to answer."""
    child = subprocess.Popen([python, *arguments], cwd=ROOT)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue


def demo(arguments: list[str]) -> int:
    return run(prepare(LIBRARIES), "-m", "aligner", "demo", *arguments)


def test(arguments: list[str]) -> int:
    # Two at a time, each on one core: more would each hold PyTorch and the models in memory.
    # In their order: groups of few tests, which would come last otherwise, are the slow ones.
    processes = ("--numprocesses", "2", "--dist", "loadgroup", "--no-loadscope-reorder")
    return run(prepare(LIBRARIES, TEST_TOOLS, TEST_REFERENCES), "-m", "pytest", *processes, *arguments)


COMMANDS = {"demo": demo, "test": test}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        check_python(sys.version_info[:2])
        return COMMANDS[arguments[0]](arguments[1:])
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
