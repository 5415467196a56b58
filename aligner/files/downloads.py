"""Downloads of weights: resumed after an interruption, and checked before they get their final name."""

from __future__ import annotations

import fnmatch
import hashlib
import http.client
import math
import os
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import TypeVar

from ..errors import AlignerError
from .waiting import EVERY, attended

#: The model hub. HF_ENDPOINT names a mirror, as for the hub's own tools.
HUB = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
_CHUNK = 2**20  # bytes
_TIMEOUT = 30  # seconds without a byte
_LISTING_TIMEOUT = 60  # seconds for the list of a repository, however many pages it has
_PARTIAL = ".download"
#: The header Content-Range (RFC 9110, section 14.4): the first byte, absent in an unsatisfied range, and the file size.
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")

#: urllib returns a refused range as an error, which can be read like any other response.
_Response = http.client.HTTPResponse | urllib.error.HTTPError
Entry = TypeVar("Entry")
Result = TypeVar("Result")


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    path: where to put it, relative to a folder, with slashes. size: in bytes. sha256: hexadecimal digest of its
    contents. A size or digest of None is unknown and not checked.
    Raises AlignerError if the path could lead out of the folder on some operating system.
    """

    url: str
    path: str
    size: int | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        # Windows reads backslashes as slashes and colons as drives, and drops dots and spaces at the end of a name.
        if set("\\:\0") & set(self.path) or not all(part.strip(". ") for part in self.path.split("/")):
            raise AlignerError(
                f"{self.url} has the path {self.path!r}, which may lie outside of its folder. If "
                "HF_ENDPOINT names a mirror of the model hub, choose another mirror."
            )


def hub_files(
    repository: str, place: Path, wanted: Sequence[str] = ("*",), on_wait: Callable[[], None] = lambda: None
) -> list[RemoteFile]:
    """List the files in a repository of the model hub that match a pattern.

    repository: "owner/name". place: where users can put the files themselves, for messages. wanted: patterns as of
    fnmatch. In a folder with .safetensors files the .bin files are left out: they hold the same weights. on_wait:
    called several times a second; an exception that it raises ends the wait.
    Raises AlignerError if the hub cannot be reached, does not finish its list within a minute, or holds no such
    repository or files.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.hf_api import RepoFile

    def listing() -> list:
        try:
            return list(_in_time(HfApi(endpoint=HUB).list_repo_tree(repository, recursive=True)))
        except HfHubHTTPError as error:
            raise AlignerError(
                f"The model hub does not give {repository} ({error.response.status_code}). Look at "
                f"{HUB}/{repository}, or {_by_hand(place)}."
            ) from error

    entries = _from_network(listing, f"{HUB}/{repository}", place, on_wait, _LISTING_TIMEOUT)
    files = [
        entry
        for entry in entries
        if isinstance(entry, RepoFile) and any(fnmatch.fnmatchcase(entry.path, pattern) for pattern in wanted)
    ]
    safe = {str(PurePosixPath(file.path).parent) for file in files if file.path.endswith(".safetensors")}
    files = [
        file for file in files if not (file.path.endswith(".bin") and str(PurePosixPath(file.path).parent) in safe)
    ]
    if not files:
        raise AlignerError(
            f"{HUB}/{repository} no longer holds {' or '.join(wanted)}. Look at that page, or {_by_hand(place)}."
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


def _in_time(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries of a list, which may have no end. It also ends the thread that nobody waits for any more."""
    until = time.monotonic() + _LISTING_TIMEOUT
    for entry in entries:
        if time.monotonic() > until:
            raise TimeoutError(f"the list does not end within {_LISTING_TIMEOUT} s")
        yield entry


class _Progress:
    """What was received of some files. It is reported while bytes arrive and while none arrive."""

    def __init__(self, files: Sequence[RemoteFile], report: Callable[[int, int], None]):
        self.sizes, self.done, self._report = {file: file.size or 0 for file in files}, 0, report

    def __call__(self) -> None:
        self._report(self.done, sum(self.sizes.values()))


def download(files: Sequence[RemoteFile], folder: Path, on_progress: Callable[[int, int], None]) -> list[Path]:
    """Download the files that are missing in a folder. Returns the paths of the downloaded files.

    on_progress: called with the bytes received so far and the bytes of all known sizes, several times a second, also
    while nothing arrives. An exception that it raises ends the download.

    An interrupted download leaves a partial file (".download") beside the target. The next call resumes it if the
    file's checksum is known; without a checksum nothing would detect that the file has changed on the server.

    Raises AlignerError if the network or the disk fails, if nothing arrives for half a minute, or if a file has the
    wrong size or checksum. A wrong file is deleted.
    """
    with _disk(folder):
        missing = [file for file in files if not (folder / file.path).is_file()]
    progress = _Progress(missing, on_progress)
    kept = sum(_size(_partial(folder / file.path)) for file in missing)
    _require_room(folder, sum(progress.sizes.values()) - kept)
    for file in missing:
        target, before = folder / file.path, progress.done
        with _disk(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        with closing(_transfer(file, target, progress)) as transfer:  # a cancelled generator would keep its file open
            for received, progress.sizes[file] in transfer:
                progress.done = before + received
                progress()
        _require_intact(file, target, progress)
        with _disk(target):
            _partial(target).replace(target)
    return [folder / file.path for file in missing]


def _partial(target: Path) -> Path:
    return target.with_name(target.name + _PARTIAL)


def _size(path: Path) -> int:
    with _disk(path):
        return path.stat().st_size if path.exists() else 0


def _transfer(file: RemoteFile, target: Path, on_wait: Callable[[], None]) -> Generator[tuple[int, int], None, None]:
    """Append the missing bytes to the partial file. Yields (bytes received, bytes expected)."""
    partial, received = _partial(target), _resumable(file, target)
    if received and received == file.size:
        yield received, received
        return
    response, received, size = _resumed(file, received, target, on_wait)
    with _closed_aside(response):
        if received and received == size:  # the partial file is complete; only the server knew its size
            yield received, received
            return
        expected = _expected_size(file, response, size, target)
        _require_room(partial.parent, expected - _size(partial))
        with _disk(partial), open(partial, "ab" if received else "wb") as output:
            for chunk in _chunks(file, response, target, on_wait):
                output.write(chunk)
                received += len(chunk)
                if received > expected:  # another file, perhaps an endless one
                    break
                yield received, expected
    if received < expected:
        raise AlignerError(
            f"The connection to {file.url} ended early. Run this again: it goes on where it stopped. Or "
            f"{_by_hand(target)}."
        )


def _resumable(file: RemoteFile, target: Path) -> int:
    """How many bytes of an earlier download can be kept. None without a checksum."""
    received = _size(_partial(target)) if file.sha256 else 0
    return received if file.size is None or received <= file.size else 0


def _resumed(
    file: RemoteFile, start: int, target: Path, on_wait: Callable[[], None]
) -> tuple[_Response, int, int | None]:
    """(response, position of its first byte in the file, size of the file or None if the server does not state it).

    The position is `start`, or 0 if the server cannot resume. A position equal to the size means that no bytes follow.
    """
    response = _response(file, start, target, on_wait)
    first, size = _content_range(response)
    if first is not None and first in (0, start):
        return response, first, size
    response.close()
    if not start:
        raise _mismatch(file, target)
    return _resumed(file, 0, target, on_wait)


def _response(file: RemoteFile, start: int, target: Path, on_wait: Callable[[], None]) -> _Response:
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={start}-"} if start else {})

    def opened() -> _Response:
        try:
            return urllib.request.urlopen(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            if start and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                return error  # its Content-Range states the size
            raise

    return _from_network(opened, file.url, target, on_wait, _TIMEOUT)


@contextmanager
def _closed_aside(response: _Response) -> Iterator[None]:
    """Close a response at the end, in a thread: closing waits for a read that nobody waits for any more."""
    try:
        yield
    finally:
        Thread(target=response.close, daemon=True).start()


def _content_range(response: _Response) -> tuple[int | None, int | None]:
    """(position of the first byte in the file, size of the file); None for values that the response does not state."""
    if isinstance(response, http.client.HTTPResponse) and response.status == http.client.OK:
        return 0, response.length
    stated = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if not stated:
        return None, None
    size = int(stated[2])
    return int(stated[1] or size), size


def _expected_size(file: RemoteFile, response: _Response, size: int | None, target: Path) -> int:
    """The size of the file in bytes.

    size: as the server states it. Raises AlignerError if neither the server nor `file` states it, if they differ, or
    if the response is a web page.
    """
    if response.headers.get_content_type() == "text/html" and PurePosixPath(file.path).suffix != ".html":
        raise AlignerError(
            f"{file.url} answers with a web page instead of the file. Open it in a browser: the network "
            f"may require a login. Or {_by_hand(target)}."
        )
    expected = file.size if size is None else size
    if expected is None:
        raise AlignerError(
            f"{file.url} does not state the size of the file, so an incomplete download could not be detected. "
            f"Instead {_by_hand(target)}."
        )
    if file.size not in (None, expected):
        raise _mismatch(file, target)
    return expected


def _chunks(file: RemoteFile, response: _Response, target: Path, on_wait: Callable[[], None]) -> Iterator[bytes]:
    def read() -> bytes:
        """What arrives in a moment, at most a chunk; nothing at the end."""
        until, received = time.monotonic() + EVERY, bytearray()
        while len(received) < _CHUNK and time.monotonic() < until and (more := response.read1(_CHUNK)):
            received += more
        return bytes(received)

    while chunk := _from_network(read, file.url, target, on_wait):
        yield chunk


def _from_network(
    work: Callable[[], Result], url: str, place: Path, on_wait: Callable[[], None], seconds: float = math.inf
) -> Result:
    """work(), see `attended`. Raises AlignerError where the network fails, or does not answer in time."""

    def translated() -> Result:
        try:
            return work()
        except AlignerError:
            raise
        except Exception as error:  # network errors differ between versions of huggingface_hub (requests, then httpx)
            raise _unreachable(url, error, place) from error

    try:
        return attended(translated, on_wait, seconds)
    except TimeoutError as error:
        raise _unreachable(url, error, place) from error


def _require_intact(file: RemoteFile, target: Path, on_wait: Callable[[], None]) -> None:
    """Check size and checksum of the partial file. Deletes it and raises AlignerError if one differs."""
    partial = _partial(target)
    with _disk(partial):
        wrong = file.size is not None and partial.stat().st_size != file.size
        if not wrong and file.sha256:
            wrong = _sha256(partial, on_wait) != file.sha256
        if wrong:
            partial.unlink()
            raise _mismatch(file, target)


def _sha256(path: Path, on_wait: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            on_wait()
    return digest.hexdigest()


def _require_room(folder: Path, needed: int) -> None:
    """Check that the disk of a folder, which may not exist yet, has `needed` free bytes. Raises AlignerError."""
    with _disk(folder):
        place = folder
        while not place.exists():
            if place == place.parent:
                raise AlignerError(f"{folder} is on a drive that does not exist. Connect it, or choose another folder.")
            place = place.parent
        free = shutil.disk_usage(place).free
    if needed > free:
        raise AlignerError(
            f"The disk of {folder} has {free / 2**30:.1f} GiB left, but {needed / 2**30:.1f} GiB are "
            "needed. Make room first."
        )


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Turn errors of the disk into an AlignerError that names the path."""
    try:
        yield
    except OSError as error:
        raise AlignerError(
            f"{path} cannot be used ({error.strerror or error}). Free disk space, check the permissions, "
            "or remove what is in its place."
        ) from error


def _mismatch(file: RemoteFile, target: Path) -> AlignerError:
    return AlignerError(
        f"{file.url} sends other data than the announced file. The data is not kept. Run this again, "
        f"or {_by_hand(target)}."
    )


def _unreachable(url: str, error: Exception, place: Path) -> AlignerError:
    return AlignerError(
        f"{url} cannot be reached ({getattr(error, 'reason', error)}). Check the network, or {_by_hand(place)}."
    )


def _by_hand(place: Path) -> str:
    return f"fetch {place.name} elsewhere and put it at {place}"
