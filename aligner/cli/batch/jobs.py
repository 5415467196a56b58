"""Jobs: the rows of a manifest, or the files of a folder, as arguments of the single command."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import Any, NoReturn

from ...errors import AlignerError, listed
from ..arguments import options_of, parser
from ..checks import paths_read
from ..result_folder import kind_of
from .manifest import read_manifest
from .tasks import TASKS, Task

#: Columns that name files, besides `input`: their paths begin where the manifest is.
PATHS = ("init", "given-video", "given-audio", "picture", "sound", "tuned-prompt")
#: Columns that are no options.
OWN = ("task", "input", "output")
#: Options of the single command that a batch does not take: files that all rows would write, and the help.
PER_RESULT = ("overview", "save-prompt", "help")
#: What follows the name of a result in that of its record.
RECORD = ".json"
#: Bytes of a name, so that its record has room beside it within the 255 of file systems.
LONGEST = 250


@dataclass(frozen=True)
class Job:
    """One result to be made.

    name: its path below the folder of results, with "/". arguments: of the single command, without its output.
    """

    name: str
    arguments: tuple[str, ...]

    def parsed(self, folder: Path) -> Namespace:
        """The options of the single command that writes into this folder. Raises AlignerError for wrong ones."""
        return _strict_parser().parse_args([*self.arguments, "--output", str(folder / self.name)])


class _Strict(ArgumentParser):
    """Raises AlignerError where a parser would end the program."""

    def error(self, message: str) -> NoReturn:
        raise AlignerError(message)


@cache
def _strict_parser() -> ArgumentParser:
    return parser(_Strict)


def read_jobs(
    source: Path, task: str | None, defaults: Sequence[str], folder: Path, written: Iterable[Path] = ()
) -> list[Job]:
    """The jobs of a manifest or of a folder of recordings, in order.

    task: of a folder, and of rows that name none. defaults: options that count for all jobs; a row's own count more.
    folder: of results. written: what the batch writes besides. Raises AlignerError for what can never be made, with the
    number of its row, and where something would be overwritten that is read.
    """
    rows = _files(source, task) if source.is_dir() else read_manifest(source)
    base = Path() if source.is_dir() else source.parent
    _require_for_all(defaults)
    jobs, read = [], [str(source)]
    for number, row in enumerate(rows, start=1):
        try:
            job = _job(row, task, defaults, base)
            read += [path for _, path in paths_read(job.parsed(folder))]
        except AlignerError as error:
            raise AlignerError(f"Row {number} of {source}: {error}") from error
        jobs.append(job)
    _require_names(jobs, source)
    results = [folder / f"{job.name}{ending}" for job in jobs for ending in ("", RECORD)]
    _require_inputs_kept(read, [*results, *written])
    return jobs


def _require_names(jobs: Sequence[Job], source: Path) -> None:
    """Raise AlignerError for outputs that no folder can hold together."""
    names = Counter(job.name.casefold() for job in jobs)
    if twice := [name for name, count in names.items() if count > 1]:
        raise AlignerError(f"Several rows of {source} have the output {listed(twice)}. Give each one of its own.")
    folders = {parent.as_posix() for name in names for parent in PurePath(name).parents}
    if both := sorted(folders & {f"{name}{ending}" for name in names for ending in ("", RECORD)}):
        raise AlignerError(f"{listed(both)} of {source} would be a result and a folder of results: rename one of them.")
    if long := [job.name for job in jobs if any(len(os.fsencode(part)) > LONGEST for part in PurePath(job.name).parts)]:
        raise AlignerError(
            f"{listed(long)} of {source}: a name of more than {LONGEST} bytes is too long. Rename the file, or give a "
            "shorter output."
        )


def _require_for_all(defaults: Sequence[str]) -> None:
    for name in PER_RESULT:
        if any(each.split("=")[0] == f"--{name}" for each in defaults):
            raise AlignerError(f"--{name} names one file, and a batch makes many: leave it out.")


def _files(folder: Path, task: str | None) -> Iterator[Mapping[str, str]]:
    """A row for each file of a folder that the task reads."""
    kinds = TASKS[task].kinds if task else ()
    if not kinds:
        takers = ", ".join(name for name, each in TASKS.items() if each.kinds)
        raise AlignerError(f"{folder} is a folder: say what is made of its files, by --task and one of {takers}.")
    found = sorted(
        path for path in folder.iterdir() if kind_of(path) in kinds and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise AlignerError(f"{folder} holds no {' or '.join(kinds)}. Folders inside it are not searched.")
    stems, suffix = Counter(path.stem.casefold() for path in found), TASKS[task or ""].suffix
    for path in found:
        # Files that only their suffixes tell apart keep them.
        output = path.name if stems[path.stem.casefold()] > 1 else path.stem
        yield {"input": str(path), "output": output + suffix}


def _job(row: Mapping[str, Any], task: str | None, defaults: Sequence[str], base: Path) -> Job:
    name = str(row.get("task") or task or "")
    if name not in TASKS:
        raise AlignerError(f"The task is {name!r}, and must be one of {', '.join(TASKS)}: a column task, or --task.")
    kind = TASKS[name]
    given = {key: value for key, value in row.items() if key not in OWN and value not in ("", None)}
    if row.get("input") and kind.takes != "input":
        raise AlignerError(f"{name} takes no input. Name recordings in columns of its options, see {name} --help.")
    positional = [_positional(kind, row, base)] if kind.takes else []
    if kind.takes in given:
        del given[kind.takes]
    arguments = [name, *positional, *defaults]
    for key, value in given.items():
        arguments += _option(name, key, value, base)
    job = Job(_output(kind, row), tuple(arguments))
    try:
        "".join([job.name, *job.arguments]).encode()
    except UnicodeEncodeError as error:
        raise AlignerError(f"{error.object!r} is no text in UTF-8: rename the file.") from error
    return job


def _require_inputs_kept(read: Iterable[str | Path], written: Iterable[Path]) -> None:
    """Raise AlignerError if a result would replace what this or another one is made for."""
    inputs = {os.path.realpath(path) for path in read}
    for path in written:
        if os.path.realpath(path) in inputs:
            raise AlignerError(f"{path} would be overwritten by a result: choose another folder for the results.")


def _positional(kind: Task, row: Mapping[str, Any], base: Path) -> str:
    value = str(row.get(kind.takes) or "")
    if not value and kind.takes == "input":
        raise AlignerError("There is no input: name a file in a column input.")
    if value.startswith("-"):
        raise AlignerError(f"{kind.takes} {value!r} begins with a hyphen, which marks options. Begin it otherwise.")
    return str(base / value) if kind.takes == "input" else value


def _option(task: str, name: str, value: Any, base: Path) -> Iterable[str]:
    """The arguments of an option. A list gives it several times; true and false switch it on and off."""
    if isinstance(value, list):
        return [argument for each in value for argument in _option(task, name, each, base)]
    if name in PER_RESULT or name not in options_of(task):
        raise AlignerError(f"A batch of {task} has no option {name}. Columns are task, input, output, and its options.")
    if options_of(task)[name].nargs == 0:
        return _switched(task, name, value)
    return [f"--{name}={base / str(value) if name in PATHS else value}"]


def _switched(task: str, name: str, value: Any) -> list[str]:
    said = str(value).strip().lower()
    if said in ("true", "yes", "on", "1"):
        return [f"--{name}"]
    if said in ("false", "no", "off", "0"):
        return [f"--no-{name}"] if f"no-{name}" in options_of(task) else []
    raise AlignerError(f"{name} is switched by true or false, not {value!r}.")


def _output(kind: Task, row: Mapping[str, Any]) -> str:
    """The path of a result below its folder: that of its row, or the name of its input."""
    named = str(row.get("output") or "")
    path = PurePath(named) if named else PurePath(PurePath(str(row.get("input") or "")).stem + kind.suffix)
    if not path.name or path.name == kind.suffix or path.is_absolute() or ".." in path.parts or "\0" in named:
        raise AlignerError("The output must be a name below the folder of results: give one in a column output.")
    # A dot in a name is not yet the beginning of a suffix.
    return (path if kind_of(path) else path.with_name(path.name + kind.suffix)).as_posix()
