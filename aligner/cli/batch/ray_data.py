"""The loop of a batch on many machines, by Ray Data: `map_batches` keeps one worker with its models in each place.

A place is a GPU, or some CPUs. The folder of results must be one that all machines share. A worker that dies comes
again, and its job with it: what is done by then stays. A job that ends its worker again and again fails, see `Worker`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import AlignerError
from .jobs import Job
from .progress import BatchProgress
from .record import Record, from_json, to_json
from .worker import Worker

#: The address of a cluster that is started here, for as long as the batch takes.
LOCAL = "local"
#: Of a worker where no machine has a GPU.
CPUS = 4


def run_on_ray(
    worker: Worker, jobs: Sequence[Job], progress: BatchProgress, *, address: str, workers: int | None
) -> Iterator[Record]:
    """The record of each job as soon as it is done, in any order.

    address: of a cluster, as ray.init takes it, or LOCAL. workers: how many; None: one for each GPU, or for CPUS CPUs.
    Raises AlignerError without Ray, or without a cluster there.
    """
    ray = _connected(address)
    try:
        resources = ray.cluster_resources()
        gpus, cpus = int(resources.get("GPU", 0)), int(resources["CPU"])
        wanted = workers or gpus or max(1, cpus // CPUS)
        # A worker runs on one machine: the smallest one must have room for it.
        smallest = min(int(node["Resources"]["CPU"]) for node in ray.nodes() if node["Resources"].get("CPU"))
        room = max(1, min(CPUS, smallest, cpus // wanted))
        count = min(wanted, len(jobs))
        rows = [{"number": number} for number in range(len(jobs))]
        # One block for each job: results arrive one by one, and a worker that is free takes the next.
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _OnRay,
            fn_constructor_args=(worker, tuple(jobs), os.getcwd()),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=count),
            **({"num_gpus": 1} if gpus else {"num_cpus": room}),
        )
        for row in done.iter_rows():
            record = from_json(row["record"])
            progress.done(record)
            yield record
    except ray.exceptions.RayActorError as error:
        raise AlignerError(
            f"Ray could not keep its workers ({error}). What is made stays: run the command again, with fewer "
            "--workers where memory ran out."
        ) from error
    finally:
        ray.shutdown()


def _connected(address: str) -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise AlignerError("--ray needs Ray: pip install 'ray[data]', the line in requirements-ray.txt.") from error
    try:
        own: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {}
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise AlignerError(f"--ray {address}: no cluster can be reached there ({error}).") from error
    # The batch shows progress of its own.
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


class _OnRay:
    """The worker as Ray calls it: the numbers of jobs in, their records out."""

    def __init__(self, worker: Worker, jobs: Sequence[Job], place: str):
        self._worker, self._jobs = worker, jobs
        # Relative paths of options begin where the command was started, on machines that share that folder.
        if os.path.isdir(place):
            os.chdir(place)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        return {"record": [to_json(self._worker(self._jobs[number])) for number in batch["number"]]}
