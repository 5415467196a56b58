"""Atomic writing: a file or a folder appears under its final name only when it is complete."""

from __future__ import annotations

import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import MediaError

#: The suffix of temporary files that no list of models or recordings shows, even if the program is killed.
UNLISTED = ".partial"


@contextmanager
def written_whole(path: str | os.PathLike, suffix: str | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it to `path` when the block succeeds.

    suffix: of the temporary file. None: that of `path`, for libraries that choose a format by it. It is in the same
    folder, because a move is atomic only within one file system. A missing folder is created.

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
    _require_name_of_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{path}: its folder cannot be created ({error.strerror}).") from error
    temporary = _beside(path, path.suffix if suffix is None else suffix)
    try:
        usual_mode = _usual_mode(temporary)
        yield temporary
        if temporary.exists() and temporary.stat().st_mode != usual_mode:
            temporary.chmod(usual_mode)  # some libraries create files that only their owner can read
        _move(temporary, path)
    except OSError as error:
        if error.filename and Path(error.filename) not in (temporary, path):
            raise  # the error is about another file, which the block uses
        raise MediaError(f"{path} cannot be written ({_reason(error)}): choose another place.") from error
    finally:
        with suppress(OSError):  # what went wrong before says more than what cannot be removed now
            temporary.unlink(missing_ok=True)


def is_left_over(path: Path) -> bool:
    """Whether a file has the name of a temporary one, which `written_whole` leaves only where the program is killed."""
    return re.fullmatch(r"\.[0-9a-f]{32}\.\w+", path.name) is not None


@contextmanager
def folder_written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a new folder beside `path`, which is not there yet; it becomes `path` when the block succeeds.

    If the block fails, Ctrl-C included, the new folder is removed. Raises MediaError if it cannot be written.
    """
    place = Path(os.path.abspath(path))
    temporary = _beside(place, "")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(place)
    except OSError as error:
        raise MediaError(f"{path} cannot be written ({_reason(error)}): choose another place.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def require_writable(path: str | os.PathLike) -> None:
    """Check before long work that `written_whole` can write `path`. Leaves no file or folder behind.

    Raises MediaError as `written_whole` does.
    """
    missing: list[Path] = []
    # An absolute path without "..": the folders created below are then exactly the missing ones.
    place = Path(os.path.abspath(path))
    _require_name_of_file(place)
    try:
        if place.exists() and not os.access(place, os.W_OK):
            raise MediaError(f"{path} is write-protected: choose another name, or allow writing.")
        missing = [folder for folder in place.parents if not folder.exists()]
        place.parent.mkdir(parents=True, exist_ok=True)
        probe = _beside(place, UNLISTED)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise MediaError(f"{path} cannot be written ({_reason(error)}): choose another place.") from error
    finally:
        for folder in missing:
            with suppress(OSError):  # not created, or no longer empty because another program uses it
                folder.rmdir()


def _require_name_of_file(path: Path) -> None:
    """Raise MediaError for a folder, and for a name that the file system cannot hold, as one of too many bytes."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise MediaError(f"{str(path)!r} cannot be written ({_reason(error)}): choose another name.") from error
    if stat.S_ISDIR(mode):
        raise MediaError(f"{path} is a folder: give the name of a file to write.")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _usual_mode(unused: Path) -> int:
    """The permissions of a new file in this folder."""
    unused.touch()
    mode = unused.stat().st_mode
    unused.unlink()
    return mode


def _beside(path: Path, suffix: str) -> Path:
    """A hidden, unused name in the same folder. It is short: the name of `path` may fill what a file system allows."""
    return path.with_name(f".{uuid.uuid4().hex}{suffix}")


def _move(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise MediaError(
            f"{path} cannot be written ({error.strerror}): close the programs that have it open, "
            "or choose another name."
        ) from error
