"""Time and memory of a function, on any device."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Work = Callable[[], object]


def interleaved_seconds(works: Mapping[str, Work], repetitions: int, device: torch.device) -> dict[str, list[float]]:
    """The seconds of every work in every repetition. Works take turns, so that a busy moment affects all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repetitions):
        for name, work in works.items():
            times[name].append(seconds_of(work, device))
    return times


def seconds_of(work: Work, device: torch.device) -> float:
    """Wall-clock seconds of a work, until the device has finished it."""
    _synchronise(device)
    start = time.perf_counter()
    work()
    _synchronise(device)
    return time.perf_counter() - start


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> str:
    """The ratios of two works that took turns, repetition by repetition: median (smallest to largest)."""
    ratios = [numerator / denominator for numerator, denominator in zip(numerators, denominators)]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def peak_bytes(work: Work, device: torch.device, weights: Iterable[torch.Tensor]) -> int:
    """The most bytes of tensors alive at once while the work runs, without the weights."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with LiveBytes(weights) as live:
        work()
    return live.peak


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of every storage that an operation returns, until the storage is freed.

    The CPU's allocator keeps no statistics, and resident memory includes its reserve. torch.profiler also sees the
    workspace of kernels, but only private fields of its result hold it. On a guided step it differs from this count by
    less than 1 %.
    """

    def __init__(self, ignored: Iterable[torch.Tensor]):
        super().__init__()
        self.live = self.peak = 0
        # Storages are known by id. They are kept alive here, so that no other storage gets the same id.
        self._ignored = [tensor.untyped_storage() for tensor in ignored]
        self._known = {id(storage) for storage in self._ignored}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._watch(leaf.untyped_storage())
        return result

    def _watch(self, storage: torch.UntypedStorage) -> None:
        if id(storage) in self._known:
            return
        self._known.add(id(storage))
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._freed, id(storage), storage.nbytes())

    def _freed(self, known: int, nbytes: int) -> None:
        self._known.remove(known)
        self.live -= nbytes


def milliseconds(seconds: Sequence[float]) -> str:
    """The median for people."""
    return f"{1000 * median(seconds):.0f} ms"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown, row by row as they come."""
    for cells in (columns, ["---"] * len(columns)):
        print(f"| {' | '.join(cells)} |")
    for cells in rows:
        print(f"| {' | '.join(cells)} |", flush=True)
