"""Run all checks: `python -m laboratory.benchmarks.gpu`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from . import generators, memory, speed
from .row import Row, machine, markdown, write

#: After so many seconds no other row begins. The note of what is left out then.
LIMIT, LATE = 480, "not run: the time is over"


def checks(device: torch.device, *, full: bool) -> dict[str, Callable[[], Iterator[Row]]]:
    """By name, in the order in which they run. full: of the published sizes, else of small ones."""
    video = ("full", 16, 512) if full else ("small", 4, 64)
    return {
        "memory of video": lambda: memory.video_rows(device, *video),
        "memory of sound": lambda: memory.sound_rows(device, *(("m", 10.0) if full else ("small", 0.4))),
        "memory of MM-Diffusion": lambda: memory.coupled_rows(device, full=full),
        "generators": lambda: generators.rows(device, steps=20 if full else 2),
        "speed": lambda: speed.rows(device, speed.FULL if full else speed.SMALL),
    }


def run(device: torch.device, *, full: bool, limit: float = LIMIT) -> list[Row]:
    """The rows of all checks. What fails is a row that says why, and the others go on."""
    rows, end = [], time.monotonic() + limit
    for name, check in checks(device, full=full).items():
        try:
            found = check()
            while row := next(found, None) if time.monotonic() < end else Row(name, "the rest", note=LATE):
                print(f"{row.check}: {row.subject}", flush=True)
                rows.append(row)
                if row.note == LATE:
                    break
        except Exception as error:
            rows.append(Row(name, "the rest", passed=False, note=f"{type(error).__name__}: {error}"))
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the report. Ends with status 1 where something is not as expected."""
    parser = argparse.ArgumentParser(prog="python -m laboratory.benchmarks.gpu", description=__doc__)
    parser.add_argument(
        "--device",
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="cuda, cuda:1, ... On a CPU, small models show that the checks run (default: the GPU, where there is one)",
    )
    parser.add_argument("-o", "--output", default="out/gpu", help="of the .md and the .json (default: %(default)s)")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    rows = run(device, full=device.type == "cuda")
    print(f"\n{markdown(rows, machine(device))}")
    print("Wrote {} and {}".format(*write(rows, machine(device), Path(options.output))))
    if any(row.passed is False for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
