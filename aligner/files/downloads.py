"""Weights from the network into a folder: resumed where a download was cut off, and checked before they count."""

from __future__ import annotations

import fnmatch
import hashlib
import http.client
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import AlignerError

#: Mirrors of the model hub are named by this variable, as for the hub's own tools.
HUB = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
_PIECE = 2**20
_TIMEOUT = 30  # seconds without a byte
_PARTIAL = ".download"
#: The header Content-Range: the first byte, or of an empty range none, and the size of the whole file.
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    path: where it goes, relative to a folder, with slashes. size: in bytes. sha256: of its contents. What is None is
    not known beforehand, and not checked. Raises AlignerError if the path may lead out of its folder, on any system.
    """

    url: str
    path: str
    size: int | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        # Windows takes backslashes for slashes, colons for drives, and ends names before their last dots and spaces.
        if set("\\:\0") & set(self.path) or not all(part.strip(". ") for part in self.path.split("/")):
            raise AlignerError(
                f"{self.url} would go to {self.path!r}, which may lie outside of its folder. If "
                "HF_ENDPOINT names a mirror of the model hub, choose another."
            )


def hub_files(repository: str, place: Path, wanted: Sequence[str] = ("*",)) -> list[RemoteFile]:
    """What a repository of the model hub ("owner/name") holds whose paths match one of some patterns.

    place: where to put by hand what cannot be had, for messages. Of weights that come in both formats only safetensors
    are listed. Raises AlignerError if the hub cannot be reached or does not have that.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        entries = list(HfApi(endpoint=HUB).list_repo_tree(repository, recursive=True))
    except HfHubHTTPError as error:
        raise AlignerError(
            f"The model hub does not give {repository} ({error.response.status_code}). Look at "
            f"{HUB}/{repository}, or {_by_hand(place)}."
        ) from error
    except Exception as error:  # the library below it has changed, and its errors with it
        raise _unreachable(f"{HUB}/{repository}", error, place) from error
    files = [
        entry
        for entry in entries
        if hasattr(entry, "size") and any(fnmatch.fnmatchcase(entry.path, pattern) for pattern in wanted)
    ]
    safe = {str(PurePosixPath(file.path).parent) for file in files if file.path.endswith(".safetensors")}
    files = [
        file for file in files if not (file.path.endswith(".bin") and str(PurePosixPath(file.path).parent) in safe)
    ]
    if not files:
        raise AlignerError(
            f"{HUB}/{repository} no longer holds {' or '.join(wanted)}. Look there, or {_by_hand(place)}."
        )
    return [
        RemoteFile(
            f"{HUB}/{repository}/resolve/main/{urllib.parse.quote(file.path)}",
            file.path,
            file.size,
            file.lfs.sha256 if file.lfs else None,
        )
        for file in files
    ]


def download(files: Sequence[RemoteFile], folder: Path, on_progress: Callable[[int, int], None]) -> list[Path]:
    """Fetch those files that are not there yet. Returns the ones that came.

    on_progress: called with the bytes that are there and those there will be, where known, at least once a second of
    transfer; whatever it raises ends the download. What has come by then is kept beside its place, under a name of its
    own, and the next call goes on from there if the file's checksum is known: nothing else would notice the end of
    another file.

    Raises AlignerError where the network or the disk fails, and where a file is not what it should be: that one is
    deleted.
    """
    with _disk(folder):
        missing = [file for file in files if not (folder / file.path).is_file()]
    sizes = {file: file.size or 0 for file in missing}
    _require_room(folder, sum(sizes.values()) - sum(_size(_partial(folder / file.path)) for file in missing))
    done = 0
    for file in missing:
        target = folder / file.path
        with _disk(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        with closing(_fetched(file, target)) as progress:  # or a cancelled one keeps its file open
            for there, sizes[file] in progress:
                on_progress(done + there, sum(sizes.values()))
        _require_whole(file, target)
        with _disk(target):
            _partial(target).replace(target)
        done += sizes[file]
    return [folder / file.path for file in missing]


def _partial(target: Path) -> Path:
    return target.with_name(target.name + _PARTIAL)


def _size(path: Path) -> int:
    with _disk(path):
        return path.stat().st_size if path.exists() else 0


def _fetched(file: RemoteFile, target: Path) -> Iterator[tuple[int, int]]:
    """Append to a partial file what it lacks; yields how many bytes are there, and how many there will be."""
    partial, there = _partial(target), _usable(file, target)
    if there and there == file.size:
        yield there, there
        return
    answer, there, size = _asked(file, there, target)
    with answer:
        if there and there == size:  # all of it was there already, which only the server could know
            yield there, there
            return
        expected = _expected(file, answer, size, target)
        _require_room(partial.parent, expected - _size(partial))
        with _disk(partial), open(partial, "ab" if there else "wb") as output:
            for piece in _pieces(file, answer, target):
                output.write(piece)
                there += len(piece)
                if there > expected:  # not that file, and perhaps without an end
                    break
                yield there, expected
    if there < expected:
        raise AlignerError(
            f"The connection to {file.url} ended early. Run this again: it goes on where it stopped. Or "
            f"{_by_hand(target)}."
        )


def _usable(file: RemoteFile, target: Path) -> int:
    """How many bytes of an earlier download can stay; without a checksum none."""
    there = _size(_partial(target)) if file.sha256 else 0
    return there if file.size is None or there <= file.size else 0


def _asked(file: RemoteFile, start: int, target: Path) -> tuple[http.client.HTTPResponse, int, int | None]:
    """A server's answer, its first byte's place and the file's size, None if untold.

    The place is start or, where the server cannot go on from there, 0. Where it is the size, nothing is left to come.
    """
    answer = _answer(file, start, target)
    first, size = _span(answer)
    if first in (0, start):
        return answer, first, size
    answer.close()
    if not start:
        raise _wrong(file, target)
    return _asked(file, 0, target)


def _answer(file: RemoteFile, start: int, target: Path) -> http.client.HTTPResponse:
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if start and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return error  # it tells the size as other answers do
        raise _unreachable(file.url, error, target) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(file.url, error, target) from error


def _span(answer: http.client.HTTPResponse) -> tuple[int | None, int | None]:
    """The place of an answer's first byte in the file, and the file's size; None for what is not told."""
    if answer.status == http.client.OK:
        return 0, answer.length
    told = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if not told:
        return None, None
    size = int(told[2])
    return int(told[1] or size), size


def _expected(file: RemoteFile, answer: http.client.HTTPResponse, size: int | None, target: Path) -> int:
    """How large the file will be. Raises AlignerError if nobody knows, or if what comes is not that file."""
    if answer.headers.get_content_type() == "text/html" and PurePosixPath(file.path).suffix != ".html":
        raise AlignerError(
            f"{file.url} answers with a web page instead of the file. Open it in a browser: the network "
            f"may want you to log in. Or {_by_hand(target)}."
        )
    expected = file.size if size is None else size
    if expected is None:
        raise AlignerError(
            f"{file.url} does not tell how large the file is, so that nobody would notice an early end. "
            f"Better {_by_hand(target)}."
        )
    if file.size not in (None, expected):
        raise _wrong(file, target)
    return expected


def _pieces(file: RemoteFile, answer: http.client.HTTPResponse, target: Path) -> Iterator[bytes]:
    try:
        while piece := answer.read1(_PIECE):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(file.url, error, target) from error


def _require_whole(file: RemoteFile, target: Path) -> None:
    partial = _partial(target)
    with _disk(partial):
        wrong = file.size is not None and partial.stat().st_size != file.size
        if not wrong and file.sha256:
            wrong = _sha256(partial) != file.sha256
        if wrong:
            partial.unlink()
            raise _wrong(file, target)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _require_room(folder: Path, needed: int) -> None:
    with _disk(folder):
        place = folder
        while not place.exists():
            if place == place.parent:
                raise AlignerError(f"{folder} is on a drive that is not there. Connect it, or choose another folder.")
            place = place.parent
        free = shutil.disk_usage(place).free
    if needed > free:
        raise AlignerError(
            f"The disk of {folder} has {free / 2**30:.1f} GiB left, but {needed / 2**30:.1f} GiB are "
            "needed. Make room first."
        )


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """What the disk refuses, told with the path."""
    try:
        yield
    except OSError as error:
        raise AlignerError(
            f"{path} cannot be used ({error.strerror or error}). Make room, or look at its permissions "
            "and at what is in its place."
        ) from error


def _wrong(file: RemoteFile, target: Path) -> AlignerError:
    return AlignerError(
        f"What {file.url} gives is not the file that was announced, and is not kept. Run this again, "
        f"or {_by_hand(target)}."
    )


def _unreachable(url: str, error: Exception, place: Path) -> AlignerError:
    return AlignerError(
        f"{url} cannot be reached ({getattr(error, 'reason', error)}). Check the network, or {_by_hand(place)}."
    )


def _by_hand(place: Path) -> str:
    return f"fetch {place.name} elsewhere and put it at {place}"
