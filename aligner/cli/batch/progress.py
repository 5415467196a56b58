"""The progress of a batch: how many results there are, how fast they come, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..progress import FORMAT, bar
from .record import MADE, Record


class BatchProgress:
    """A bar over all jobs of a run. It moves within a job, too."""

    def __init__(self, shown: Any):
        self._shown, self._begun = shown, time.perf_counter()
        self._made = self._failed = 0

    def within(self, part: float) -> None:
        """A part 0..1 of the job at work has passed."""
        self._shown.update(self._made + self._failed + min(part, 1.0) - self._shown.n)

    def done(self, record: Record) -> None:
        """A job is done."""
        if record.status == MADE:
            self._made += 1
        else:
            self._failed += 1
        hours = (time.perf_counter() - self._begun) / 3600
        failed = f", {self._failed} failed" if self._failed else ""
        self._shown.set_postfix_str(f"{self._made} made{failed}, {self._made / hours:.0f} an hour", refresh=False)
        self.within(0.0)


@contextmanager
def batch_progress(jobs: int) -> Iterator[BatchProgress]:
    """Show the progress of so many jobs."""
    with bar(total=jobs, desc="batch", bar_format=FORMAT) as shown:
        yield BatchProgress(shown)
