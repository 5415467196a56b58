"""Atomic writing: a file appears under its final name only when it is complete."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import MediaError


@contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it to `path` when the block succeeds.

    The temporary file has the suffix of `path`, because libraries choose a format by it. It is in the same folder,
    because a move is atomic only within one file system. A missing folder is created.

    If the block fails, Ctrl-C included, the temporary file is removed and an existing `path` stays unchanged. The
    block may therefore read the file that it replaces. It must close that file before it ends: Windows does not
    replace open files.

    Raises:
        MediaError: `path` is a folder, or its folder or the file itself cannot be written.

    Example:
        with written_whole("scores.json") as temporary:
            temporary.write_text("{}")
    """
    path = Path(path)
    if path.is_dir():
        raise MediaError(f"{path} is a folder: give the name of a file to write.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{path}: its folder cannot be created ({error.strerror}).") from error
    temporary = _beside(path)
    try:
        usual_mode = _usual_mode(temporary)
        yield temporary
        if temporary.exists() and temporary.stat().st_mode != usual_mode:
            temporary.chmod(usual_mode)  # some libraries create files that only their owner can read
        _move(temporary, path)
    except OSError as error:
        if error.filename and Path(error.filename) not in (temporary, path):
            raise  # the error is about another file, which the block uses
        raise MediaError(f"{path} cannot be written ({error.strerror or error}): choose another place.") from error
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(path: str | os.PathLike) -> None:
    """Check before long work that `written_whole` can write `path`. Leaves no file or folder behind.

    Raises MediaError as `written_whole` does.
    """
    missing: list[Path] = []
    # An absolute path without "..": the folders created below are then exactly the missing ones.
    place = Path(os.path.abspath(path))
    try:
        if place.is_dir():
            raise MediaError(f"{path} is a folder: give the name of a file to write.")
        if place.exists() and not os.access(place, os.W_OK):
            raise MediaError(f"{path} is write-protected: choose another name, or allow writing.")
        missing = [folder for folder in place.parents if not folder.exists()]
        place.parent.mkdir(parents=True, exist_ok=True)
        probe = _beside(place)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise MediaError(f"{path} cannot be written ({error.strerror or error}): choose another place.") from error
    finally:
        for folder in missing:
            with suppress(OSError):  # not created, or no longer empty because another program uses it
                folder.rmdir()


def _usual_mode(unused: Path) -> int:
    """The permissions of a new file in this folder."""
    unused.touch()
    mode = unused.stat().st_mode
    unused.unlink()
    return mode


def _beside(path: Path) -> Path:
    """A hidden, unused name in the same folder and with the same suffix."""
    return path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")


def _move(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise MediaError(
            f"{path} cannot be written ({error.strerror}): close the programs that have it open, "
            "or choose another name."
        ) from error
