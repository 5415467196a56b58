"""batch: many results, from a manifest or a folder of recordings."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import AlignerError, listed
from ...files.atomic import is_left_over, require_writable
from ..batch.jobs import Job, read_jobs
from ..batch.loop import run
from ..batch.progress import BatchProgress, batch_progress
from ..batch.ray_data import run_on_ray
from ..batch.record import MADE, Record, record_of
from ..batch.summary import PAGE, TABLE, write_summary
from ..batch.worker import Worker
from ..steering import Outcome
from .coupled import mm_diffusion
from .joint import joint
from .sound import image_to_audio, video_to_audio
from .video import audio_to_image, audio_to_video

#: The commands of the tasks, by the names that the parser gives them.
_COMMANDS = {
    each.__name__: each
    for each in (video_to_audio, image_to_audio, audio_to_video, audio_to_image, joint, mm_diffusion)
}


def batch(options: Namespace) -> None:
    """batch: make what is missing, record what fails, and summarise all. Raises AlignerError if a result is missing."""
    source, folder = Path(options.source).absolute(), Path(options.output).absolute()
    if options.workers is not None and (options.ray is None or options.workers < 1):
        raise AlignerError("--workers takes at least 1, and belongs to --ray.")
    if not source.exists():
        raise AlignerError(f"There is no {source}: name a manifest or a folder of recordings.")
    if folder.exists() and source.samefile(folder):
        raise AlignerError(f"The results cannot be among what they are made for: choose another folder than {folder}.")
    jobs = read_jobs(source, options.task, options.others, folder, (folder / TABLE, folder / PAGE))
    own = jobs[_shard(options.shard)]
    require_writable(folder / TABLE)
    if not options.shard:
        _clear_away(folder)
    worker = Worker(_make, folder, again=options.again, overviews=options.overviews)
    waiting = [job for job in own if worker.needs(job)]
    print(f"{len(own)} results, {len(own) - len(waiting)} of them there already.")
    done: dict[str, Record] = {}
    try:
        if waiting:
            with batch_progress(len(waiting)) as progress:
                for record in _records(options, worker, waiting, progress):
                    done[record.name] = record
    finally:
        records = [done.get(job.name) or record_of(folder, job) for job in jobs]
        write_summary(folder, records)
        print(f"Wrote {folder / TABLE} and {folder / PAGE}")
    _require_all(own, {record.name: record for record in records})


def _records(options: Namespace, worker: Worker, jobs: Sequence[Job], progress: BatchProgress) -> Iterator[Record]:
    if options.ray is None:
        return run(worker, jobs, progress)
    return run_on_ray(worker, jobs, progress, address=options.ray, workers=options.workers)


def _make(options: Namespace) -> Outcome:
    return _COMMANDS[options.command](options)


def _shard(text: str | None) -> slice:
    """Which of the jobs are this machine's. Raises AlignerError for what is no "I/N"."""
    if text is None:
        return slice(None)
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise AlignerError(f"--shard takes I/N, such as 1/4 for the first of four, not {text!r}.")
    return slice(int(number) - 1, None, int(count))


def _clear_away(folder: Path) -> None:
    """Remove what a killed run left half-written. Nobody else writes where one machine makes all results."""
    for path in folder.rglob(".*"):
        if is_left_over(path):
            path.unlink(missing_ok=True)


def _require_all(jobs: Sequence[Job], records: dict[str, Record]) -> None:
    """Raise AlignerError, with their sentences, if some of the jobs have no result."""
    failures = [records[job.name] for job in jobs if records[job.name].status != MADE]
    for record in failures:
        print(f"{record.name}: {record.error}")
    if failures:
        raise AlignerError(
            f"{len(failures)} of {len(jobs)} results failed ({listed([record.name for record in failures])}). Run "
            "the command again when the reasons above are mended: the others stay."
        )
