"""Records: beside every result stands how it was made, or why it was not."""

from __future__ import annotations

import json
import math
import os
import platform
import traceback
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ...files.atomic import written_whole
from ..checks import INPUTS
from ..failures import sentence
from ..installed import NamedPath
from ..steering import Outcome
from .jobs import RECORD, Job

MADE, FAILED, WAITING, WORKING, FOREIGN = "made", "failed", "waiting", "working", "foreign"
#: Options that say by what means a result is made, and not which one.
_MEANS = ("device", "checkpointing")
#: Packages that shape a result.
_PACKAGES = ("torch", "diffusers", "transformers", "torchaudio", "av")


@dataclass(frozen=True)
class Record:
    """A result and how it was made.

    name: its path below the folder of results. status: MADE or FAILED; WORKING while it is made; WAITING where there is
    none yet; FOREIGN where a file is there that no record explains. arguments: of its job. settings: all options by
    name, as they count. scores: by pair its cosine. synchrony: by pair how it is in sync, where something begins.
    seconds: that it took. versions: of packages. error: a sentence. trace: of the program, where the fault is its own.
    attempts: while WORKING, how often it was begun since something else was recorded.
    """

    name: str
    status: str
    arguments: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    synchrony: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    error: str = ""
    trace: str = ""
    attempts: int = 0


def begun(folder: Path, job: Job, status: str, attempts: int = 0) -> Record:
    """The record of a job as far as it is known before anything is made."""
    return Record(job.name, status, job.arguments, settings_of(job.parsed(folder)), attempts=attempts)


def made(folder: Path, job: Job, outcome: Outcome, seconds: float) -> Record:
    """The record of a result that is written."""
    return replace(
        begun(folder, job, MADE),
        scores=_means(outcome.result.scores),
        synchrony=_means(outcome.result.synchrony),
        seconds=round(seconds, 2),
        device=str(outcome.models.device),
        versions=_versions(),
    )


def failed(folder: Path, job: Job, error: Exception, seconds: float) -> Record:
    """The record of a job that failed."""
    said = sentence(error)
    return replace(
        begun(folder, job, FAILED),
        seconds=round(seconds, 2),
        error=said or f"{type(error).__name__}: {error}",
        trace="" if said else "".join(traceback.format_exception(error)),
    )


def record_of(folder: Path, job: Job) -> Record:
    """What the folder says about a job's result."""
    there, path = (folder / job.name).exists(), _path(folder, job.name)
    if not path.exists():
        return begun(folder, job, FOREIGN if there else WAITING)
    try:
        record = replace(from_json(path.read_text(encoding="utf-8")), name=job.name)
    except (OSError, ValueError, TypeError, KeyError):
        # Of another program, or of another version of this one.
        return begun(folder, job, FOREIGN)
    return begun(folder, job, WAITING) if record.status == MADE and not there else record


def to_json(record: Record) -> str:
    """A record as text."""
    return json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Record:
    """The record that `to_json` wrote. Raises ValueError, TypeError or KeyError for another text."""
    content = json.loads(text)
    return Record(**content | {"arguments": tuple(content["arguments"])})


def write_record(folder: Path, record: Record) -> None:
    """Write a record beside its result, NAME.json."""
    with written_whole(_path(folder, record.name)) as temporary:
        temporary.write_text(to_json(record), encoding="utf-8")


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}{RECORD}"


def _means(values: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """The mean of each pair's values, where it has some: JSON knows no NaN."""
    means = {pair: each.nanmean().item() for pair, each in values.items()}
    return {pair: round(mean, 4) for pair, mean in means.items() if math.isfinite(mean)}


def settings_of(options: Namespace) -> dict[str, Any]:
    """What was chosen, as JSON keeps it: no option that is left to its rule, and none that names what is written.

    Paths are absolute, so that one file has one name.
    """
    values = {
        name: _absolute(name, value)
        for name, value in vars(options).items()
        if name not in ("command", "output", "overview")
    }
    return {
        name: value for name, value in values.items() if isinstance(value, str | int | float | list) and value != []
    }


def _absolute(name: str, value: Any) -> Any:
    if isinstance(value, NamedPath):
        return f"{value.name}={os.path.abspath(value.path)}"
    return os.path.abspath(value) if name in (*INPUTS, "models") and isinstance(value, str) else value


def same(record: Record, job: Job, folder: Path) -> bool:
    """Whether a record is of this job: the same options, also in another order, on any device."""
    return record.arguments == job.arguments or not difference(record, job, folder)


def difference(record: Record, job: Job, folder: Path) -> list[str]:
    """The options of a record that are not those of the job, in words."""
    before, now = record.settings, settings_of(job.parsed(folder))
    names = sorted(name for name in {*before, *now} if name not in _MEANS and before.get(name) != now.get(name))
    return [f"{name}: then {before.get(name, 'none')}, now {now.get(name, 'none')}" for name in names]


def _versions() -> dict[str, str]:
    # Slow to import, and the help does not need it.
    from importlib.metadata import version

    return {"python": platform.python_version()} | {package: version(package) for package in _PACKAGES}
