"""The time that each rule of guidance takes on the built-in models: `python -m laboratory.benchmarks.rules`.

Rules take turns, so that a busy moment of the machine affects all of them. Still, measure on an idle machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import median

import torch

from aligner.guidance.rule import Rule

from ..evaluation.cells import METHODS, TASKS, rule_of
from ..evaluation.runs import DemoModels, demo_models, generated, given_signal
from ..world import clip, scene, vague_caption
from .measure import Work, interleaved_seconds, ratio

#: The rule of the first column. The times of the others are divided by its time.
REFERENCE = "released"


def compare(models: DemoModels, task: str, batch: int, steps: int, repetitions: int) -> list[str]:
    """One row of the table: the seconds of a sample by the reference, and the ratios of the other rules to it."""
    kind, clips = TASKS[task], [clip(scene("development", number)) for number in range(batch)]
    given, captions = given_signal(kind.given, clips), [vague_caption(number) for number in range(batch)]

    def work(rule: Rule) -> Work:
        return lambda: generated(models, kind.generates, captions, given, rule, seed=0, steps=steps)

    works = {name: work(rule_of(task, name)) for name in METHODS}
    times = interleaved_seconds(works, repetitions, torch.device("cpu"))
    others = [ratio(times[name], times[REFERENCE]) for name in METHODS if name != REFERENCE]
    return [task, f"{median(times[REFERENCE]) / batch:.1f} s", *others]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table with a row for each task."""
    parser = argparse.ArgumentParser(prog="python -m laboratory.benchmarks.rules", description=__doc__)
    parser.add_argument(
        "--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="the tasks to measure (default: all of them)"
    )
    parser.add_argument("--batch", type=int, default=4, help="samples per batch (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="denoising steps (default: %(default)s)")
    parser.add_argument(
        "--repetitions", type=int, default=3, metavar="N", help="timings of each rule (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    models, others = demo_models(), [f"{name} / {REFERENCE}" for name in METHODS if name != REFERENCE]
    print(f"threads: {torch.get_num_threads()}, torch {torch.__version__}\n")
    header = ["task", f"{REFERENCE}, a sample", *others]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}", flush=True)
    for task in options.tasks:
        row = compare(models, task, options.batch, options.steps, options.repetitions)
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
