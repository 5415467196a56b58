"""run.py: which Python it accepts, and what it installs when."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import run


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sets of packages installed so far, in a project folder where nothing is really installed."""
    (tmp_path / ".env").mkdir()
    (tmp_path / "constraints.txt").write_text("one==1\n")
    (tmp_path / "one.txt").write_text("one\n")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "ENVIRONMENT", tmp_path / ".env")
    monkeypatch.setattr(run, "CONSTRAINTS", tmp_path / "constraints.txt")
    monkeypatch.setattr(run, "create_environment", run.python_of)
    calls: list[str] = []
    monkeypatch.setattr(run, "install", lambda python, description, arguments: calls.append(description))
    return calls


ONE = run.Packages("one", "package one", ("one.txt",))


def test_old_python_is_refused() -> None:
    with pytest.raises(run.SetupError, match="This is Python 3.9"):
        run.check_python((3, 9))


def test_new_python_is_warned_about(capsys: pytest.CaptureFixture[str]) -> None:
    run.check_python((3, 12))
    assert capsys.readouterr().out == ""
    run.check_python((3, 13))
    assert "newer than the tested ones" in capsys.readouterr().out


@pytest.mark.parametrize("changed", ["one.txt", "constraints.txt"])
def test_packages_are_installed_once_and_again_when_a_file_changes(
    installed: list[str], changed: str, tmp_path: Path
) -> None:
    run.prepare(ONE)
    run.prepare(ONE)
    assert installed == ["package one"]
    (tmp_path / changed).write_text("one==2\n")
    run.prepare(ONE)
    assert installed == ["package one"] * 2


def test_failed_installation_is_tried_again(installed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(python: Path, description: str, arguments: list[str]) -> None:
        raise run.SetupError(description)

    with monkeypatch.context() as patch, pytest.raises(run.SetupError):
        patch.setattr(run, "install", fail)
        run.prepare(ONE)
    run.prepare(ONE)
    assert installed == ["package one"]


def test_pip_speaks_only_when_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    python = Path(sys.executable)
    run.install(python, "nothing new", ["pytest"])
    assert "already satisfied" not in capsys.readouterr().out
    with pytest.raises(run.SetupError, match="No matching distribution found for no-such-package"):
        run.install(python, "a package that is nowhere", ["--no-index", "no-such-package"])


def test_command_that_does_not_exist_shows_what_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["dance"]) == 2
    assert "python3 run.py demo" in capsys.readouterr().out
