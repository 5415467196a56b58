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
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _move(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise MediaError(
            f"{path} cannot be written ({error.strerror}): close the programs that have it open, "
            "or choose another name."
        ) from error
