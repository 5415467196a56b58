"""The loop of a batch on one machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..progress import following
from .jobs import Job
from .progress import BatchProgress
from .record import Record
from .worker import Worker


def run(worker: Worker, jobs: Sequence[Job], progress: BatchProgress) -> Iterator[Record]:
    """The record of each job as soon as it is done."""
    for job in jobs:
        with following(progress.within):
            record = worker(job)
        progress.done(record)
        yield record
