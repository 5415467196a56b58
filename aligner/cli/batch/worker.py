"""The worker of a batch: one result after the other, by models that stay loaded."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ...errors import AlignerError, MediaError, listed
from ..keeping import Kept, keeping
from ..steering import Outcome
from .jobs import RECORD, Job
from .record import (
    FOREIGN,
    MADE,
    WAITING,
    WORKING,
    Record,
    begun,
    difference,
    failed,
    made,
    record_of,
    same,
    write_record,
)

#: The folder of overviews below that of results.
OVERVIEWS = "overviews"
#: How often the program may end while it makes one result, as it does where memory runs out.
ATTEMPTS = 3


class Worker:
    """Makes results of jobs.

    make: runs a single command. folder: of results. again: make also those anew that are there. overviews: draw what
    steered each.
    """

    def __init__(
        self, make: Callable[[Namespace], Outcome], folder: Path, *, again: bool = False, overviews: bool = False
    ):
        self._make, self._folder = make, folder
        self._again, self._overviews = again, overviews
        self._models = Kept()

    def needs(self, job: Job) -> bool:
        """Whether a job is still to be done."""
        there = record_of(self._folder, job)
        return self._again or there.status != MADE or not same(there, job, self._folder)

    def __call__(self, job: Job) -> Record:
        """Make the result of a job and write its record last; a job that is done stays as it is.

        Whatever fails is recorded, so that the other jobs go on. What interrupts the program is not.
        """
        there = record_of(self._folder, job)
        if not self._again and there.status in (MADE, FOREIGN):
            return self._unless_other(there, job)
        start = time.perf_counter()
        attempts = there.attempts + 1 if there.status == WORKING else 1
        try:
            if attempts > ATTEMPTS:
                raise AlignerError(
                    f"The program ended {ATTEMPTS} times while this was made. If memory ran out, try --dtype fp16, or "
                    "something shorter or smaller."
                )
            # Until its record is there, a result counts as unfinished, also if an older one lies in its place.
            write_record(self._folder, begun(self._folder, job, WORKING, attempts))
            record = self._made(job, start)
            write_record(self._folder, record)
        except Exception as error:
            record = failed(self._folder, job, error, time.perf_counter() - start)
            # Where not even a record can be written, what is returned says why.
            with suppress(MediaError):
                write_record(self._folder, record)
        except KeyboardInterrupt:
            # Who stops a batch does not count against the result at work.
            write_record(self._folder, begun(self._folder, job, WAITING))
            raise
        return record

    def _made(self, job: Job, start: float) -> Record:
        options = job.parsed(self._folder)
        if self._overviews and not options.unguided:
            overview = self._folder / OVERVIEWS / f"{job.name}.png"
            overview.parent.mkdir(parents=True, exist_ok=True)
            options.overview = str(overview)
        with keeping(self._models):
            outcome = self._make(options)
        return made(self._folder, job, outcome, time.perf_counter() - start)

    def _unless_other(self, there: Record, job: Job) -> Record:
        """A result that is there, or why it is not the one that the job asks for. It is not replaced."""
        if there.status == FOREIGN:
            error = AlignerError(
                f"{job.name} or its record {job.name}{RECORD} is there, and not of this batch. Move it elsewhere, or "
                "replace it by --again."
            )
            return failed(self._folder, job, error, 0.0)
        if same(there, job, self._folder):
            return there
        error = AlignerError(
            f"{job.name} was made with other options ({listed(difference(there, job, self._folder))}). Choose another "
            "output, or make all results anew by --again."
        )
        return failed(self._folder, job, error, 0.0)
