"""Throughput of a batch beside single commands in a loop: `python -m laboratory.benchmarks.batch`.

Both make the same sounds for copies of the built-in clip. The batch loads its models once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from aligner.demo.examples import EXAMPLE_VIDEO


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the seconds of both ways, and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m laboratory.benchmarks.batch", description=__doc__)
    parser.add_argument("--clips", type=int, default=8, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=10, metavar="N", help="denoising steps (default: %(default)s)")
    options = parser.parse_args(arguments)
    steps = ("--steps", str(options.steps))
    with tempfile.TemporaryDirectory() as folder:
        clips, results = Path(folder, "clips"), Path(folder, "results")
        clips.mkdir()
        paths = [clips / f"{number:03}.mp4" for number in range(options.clips)]
        for path in paths:
            path.write_bytes(EXAMPLE_VIDEO.read_bytes())
        batch = _seconds("batch", clips, "-o", results, "--task", "v2a", *steps)
        single = sum(_seconds("v2a", path, "-o", Path(folder, path.name), *steps) for path in paths)
        alike = all((results / path.name).read_bytes() == Path(folder, path.name).read_bytes() for path in paths)
    print(f"{options.clips} clips of {options.steps} steps: batch {batch:.1f} s, single commands {single:.1f} s")
    print(f"single / batch: {single / batch:.2f}; the results are {'alike to the bit' if alike else 'NOT alike'}")


def _seconds(*arguments: object) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "aligner", *map(str, arguments)], check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
