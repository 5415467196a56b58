"""Weights from the network into a folder: resumed where a download was cut off, and checked before they count."""

from __future__ import annotations

import fnmatch
import hashlib
import http.client
import os
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .errors import AlignerError

#: Mirrors of the model hub are named by this variable, as for the hub's own tools.
HUB = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
_PIECE = 2**20
_TIMEOUT = 30  # seconds without a byte
_PARTIAL = ".download"


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    path: where it goes, relative to a folder, with slashes. size: in bytes. sha256: of its contents. What is None is
    not known beforehand, and not checked.
    """

    url: str
    path: str
    size: int | None = None
    sha256: str | None = None


def hub_files(repository: str, wanted: Sequence[str] = ("*",)) -> list[RemoteFile]:
    """What a repository of the model hub ("owner/name") holds whose paths match one of some patterns.

    Of weights that come in both formats only safetensors are listed. Raises AlignerError if the hub cannot be reached
    or does not have that.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        entries = list(HfApi(endpoint=HUB).list_repo_tree(repository, recursive=True))
    except HfHubHTTPError as error:
        raise AlignerError(f"The model hub does not give {repository} ({error.response.status_code}). Look at "
                           f"{HUB}/{repository}.") from error
    except Exception as error:  # the library below it has changed, and its errors with it
        raise _unreachable(f"{HUB}/{repository}", error) from error
    files = [entry for entry in entries if hasattr(entry, "size")
             and any(fnmatch.fnmatchcase(entry.path, pattern) for pattern in wanted)]
    safe = {str(PurePosixPath(file.path).parent) for file in files if file.path.endswith(".safetensors")}
    files = [file for file in files
             if not (file.path.endswith(".bin") and str(PurePosixPath(file.path).parent) in safe)]
    if not files:
        raise AlignerError(f"{HUB}/{repository} no longer holds {' or '.join(wanted)}.")
    return [RemoteFile(f"{HUB}/{repository}/resolve/main/{file.path}", file.path, file.size,
                       file.lfs.sha256 if file.lfs else None) for file in files]


def download(files: Sequence[RemoteFile], folder: Path, on_progress: Callable[[int, int], None]) -> list[Path]:
    """Fetch those files that are not there yet. Returns the ones that came.

    on_progress: called with the bytes that are there and those there will be, where known, at least once a second of
    transfer; whatever it raises ends the download. What has come by then is kept beside its place, under a name of its
    own, and the next call goes on from there.

    Raises AlignerError where the network or the disk fails, and where a file is not what it should be: that one is
    deleted.
    """
    missing = [file for file in files if not (folder / file.path).exists()]
    sizes = {file: file.size or 0 for file in missing}
    _require_room(folder, sum(sizes.values()) - sum(_size(_partial(folder, file)) for file in missing))
    done = 0
    for file in missing:
        target, partial = folder / file.path, _partial(folder, file)
        target.parent.mkdir(parents=True, exist_ok=True)
        for there, sizes[file] in _fetched(file, partial):
            on_progress(done + there, sum(sizes.values()))
        _require_whole(file, partial)
        partial.replace(target)
        done += target.stat().st_size
    return [folder / file.path for file in missing]


def _partial(folder: Path, file: RemoteFile) -> Path:
    target = folder / file.path
    return target.with_name(target.name + _PARTIAL)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fetched(file: RemoteFile, partial: Path) -> Iterator[tuple[int, int]]:
    """Append to a partial file what it lacks; yields how many bytes are there, and how many there will be."""
    there, target = _size(partial), partial.with_name(partial.name.removesuffix(_PARTIAL))
    if file.size is not None and there >= file.size:
        yield there, there
        return
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            # A server that cannot go on from the middle begins again.
            there = there if answer.status == http.client.PARTIAL_CONTENT else 0
            expected = there + int(answer.headers.get("Content-Length") or 0)
            _require_room(partial.parent, expected - there)
            with open(partial, "ab" if there else "wb") as output:
                while piece := answer.read1(_PIECE):
                    output.write(piece)
                    there += len(piece)
                    yield there, expected
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or file.size is not None:
            raise _unreachable(file.url, error, target) from error
        yield there, there  # all of it was there already, which only the server could know
        return
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError,
            ssl.SSLError) as error:
        raise _unreachable(file.url, error, target) from error
    except OSError as error:
        raise AlignerError(f"{partial} cannot be written ({error}). Make room, or check the folder's "
                           "permissions.") from error
    if there < expected:
        raise AlignerError(f"The connection to {file.url} ended early. Run this again: it goes on where it stopped.")


def _require_whole(file: RemoteFile, partial: Path) -> None:
    size = partial.stat().st_size
    wrong = file.size is not None and size != file.size
    if not wrong and file.sha256:
        wrong = _sha256(partial) != file.sha256
    if wrong:
        partial.unlink()
        raise AlignerError(f"What came from {file.url} is not the file that was announced, and was deleted. Run this "
                           "again.")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _require_room(folder: Path, needed: int) -> None:
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise AlignerError(f"The disk of {folder} has {free / 2**30:.1f} GiB left, but {needed / 2**30:.1f} GiB are "
                           "needed. Make room first.")


def _unreachable(url: str, error: Exception, target: Path | None = None) -> AlignerError:
    by_hand = f", or fetch it elsewhere and put it at {target}" if target else ""
    return AlignerError(f"{url} cannot be reached ({getattr(error, 'reason', error)}). Check the network{by_hand}.")
