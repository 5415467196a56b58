"""Files that appear under their final name only when they are complete."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import MediaError


@contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it to `path` when the block ends well.

    The temporary file has the suffix of `path`, because libraries choose a format by it, and lives in the
    same folder, because only within one file system is the move atomic. A missing folder is created. Whatever
    ends the block early, Ctrl-C included, removes the temporary file and leaves an older `path` as it was, so
    a block may read the very file that it replaces (and has to close it in time: Windows insists).

    Raises:
        MediaError: `path` is a folder, or its folder or the file itself cannot be written.
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
            temporary.chmod(usual_mode)  # some libraries let nobody but the owner read what they write
        _move(temporary, path)
    except OSError as error:
        if error.filename and Path(error.filename) not in (temporary, path):
            raise  # some other file that the block was busy with
        raise MediaError(f"{path} cannot be written ({error.strerror or error}): choose another place.") from error
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(path: str | os.PathLike) -> None:
    """Find out before long work whether `written_whole` could write a file; nothing is left behind.

    Raises MediaError as `written_whole` does.
    """
    # Without "..", so that the folders that are made are exactly those found missing.
    place, missing = Path(os.path.abspath(path)), []
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
            with suppress(OSError):  # never made, or in use by somebody else by now
                folder.rmdir()


def _usual_mode(unused: Path) -> int:
    """Who may read and write a new file here."""
    unused.touch()
    mode = unused.stat().st_mode
    unused.unlink()
    return mode


def _beside(path: Path) -> Path:
    """A name that nobody else uses, hidden, in the same folder and with the same suffix."""
    return path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")


def _move(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise MediaError(
            f"{path} cannot be written ({error.strerror}): close the programs that have it open, "
            "or choose another name."
        ) from error
