"""Files that appear under their final name only when they are complete."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
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
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        _move(temporary, path)
    except OSError as error:
        raise MediaError(f"{path} cannot be written ({error.strerror or error}): choose another place.") from error
    finally:
        temporary.unlink(missing_ok=True)


def require_writable(path: str | os.PathLike) -> None:
    """Find out before long work whether `written_whole` could write a file; nothing is left behind.

    Raises MediaError as `written_whole` does.
    """
    path, missing = Path(path), []
    folder = path.parent
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    try:
        probe = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
        if path.is_dir():
            raise MediaError(f"{path} is a folder: give the name of a file to write.")
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise MediaError(f"{path} cannot be written ({error.strerror or error}): choose another place.") from error
    finally:
        for folder in missing:
            if folder.is_dir():
                folder.rmdir()


def _move(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise MediaError(
            f"{path} cannot be written ({error.strerror}): close the programs that have it open, "
            "or choose another name."
        ) from error
