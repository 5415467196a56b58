"""A folder of results: files that belong together by their names, and captions that describe them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..errors import AlignerError, MediaError, listed
from ..media import VideoInfo, probe_video
from .tables import read_table

#: Suffixes by kind of file. Other files in a folder are ignored.
SUFFIXES = {
    "video": (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".gif"),
    "sound": (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".aif"),
    "picture": (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"),
}
_KINDS = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes}


def kind_of(path: PurePath) -> str:
    """A key of SUFFIXES: "video", "sound" or "picture"; "" for other files."""
    return _KINDS.get(path.suffix.lower(), "")


@dataclass(frozen=True)
class Result:
    """The files of one name. sound: the file with the sound, which may be the video. info: describes the video."""

    name: str
    video: Path | None = None
    sound: Path | None = None
    picture: Path | None = None
    info: VideoInfo | None = None


def read_results(folder: str | Path, names: Iterable[str] | None = None) -> dict[str, Result]:
    """The results in a folder, by name without suffix, sorted. Folders below it are not searched.

    Names are composed (NFC): some systems store an accented letter as two characters. names: read only the results of
    these names, as `read_results` gives them. A sound beside a video of the same name replaces the video's own. A
    picture beside a video or a sound of the same name is its overview or spectrogram, and is ignored.

    Raises AlignerError if the folder is missing or empty, lacks one of the names, holds two files of one kind and
    name, or holds a file that cannot be read.
    """
    files = _files_by_name(folder)
    if names is not None:
        require_names(names, files, str(folder))
        files = {name: files[name] for name in names}
    return {name: _result(name, paths) for name, paths in sorted(files.items())}


def _files_by_name(folder: str | Path) -> dict[str, list[Path]]:
    if not Path(folder).is_dir():
        raise MediaError(f"{folder} is not a folder: name the one that holds the results.")
    files: dict[str, list[Path]] = {}
    for path in sorted(Path(folder).iterdir()):
        if kind_of(path) and not path.name.startswith(".") and path.is_file():
            files.setdefault(_composed(path.stem), []).append(path)
    if not files:
        raise MediaError(
            f"There is nothing to score in {folder}: no video, sound or picture. Folders inside it are not searched."
        )
    return files


def _result(name: str, paths: Iterable[Path]) -> Result:
    kinds: dict[str, Path] = {}
    for path in paths:
        other = kinds.setdefault(kind_of(path), path)
        if other is not path:
            raise MediaError(
                f"{other} and {path.name} share a name, so that it is not clear which is the result: move "
                "one of them elsewhere."
            )
    video, sound, picture = (kinds.get(kind) for kind in SUFFIXES)
    info = probe_video(video) if video else None
    if sound is None and info and info.has_audio:
        sound = video
    return Result(name, video, sound, None if video or sound else picture, info)


def read_captions(path: str | Path) -> dict[str, str]:
    """The captions of a table with the columns `name` (a result's, without suffix) and `caption`.

    The table is CSV with commas, semicolons or tabs, in UTF-8, or in UTF-16 as spreadsheets write it.
    Raises MediaError if it is no such file.
    """
    rows = read_table(path, ("name", "caption"))
    named = [(_composed(row.get("name") or ""), (row.get("caption") or "").strip()) for row in rows]
    captions = dict(named)
    if len(captions) < len(named):
        twice = next(name for name in captions if sum(each == name for each, _ in named) > 1)
        raise MediaError(f"{path} has more than one caption for {twice!r}. Keep one of them.")
    if not captions or not all(captions) or not all(captions.values()):
        raise MediaError(f"{path} must have the columns name and caption in its first line, and both in every other.")
    return captions


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def require_names(wanted: Iterable[str], there: Mapping[str, object], place: str) -> None:
    """Raise AlignerError, listing them, if some of the names wanted are not there."""
    missing = [name for name in wanted if name not in there]
    if missing:
        raise AlignerError(
            f"{place} has nothing of the same name, without suffix, as {listed(missing)}. Results and "
            "references are matched by name: rename them, or move these results elsewhere."
        )
