"""What a choice costs: rendering, embedding and comparing candidates, in parts of their denoising.

`python -m laboratory.benchmarks.choosing`
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import torch

from aligner.guidance.rule import Step

from ..evaluation.cells import TASKS, rule_of
from ..evaluation.runs import DemoModels, demo_models, generated, given_signal
from ..world import clip, scene, vague_caption
from .measure import ratio

#: Denoising steps of a run.
STEPS = 20


def costs(models: DemoModels, task: str, batch: int) -> tuple[float, float]:
    """The seconds of the default's choice, and of all steps that the candidates took before it."""
    kind, clips = TASKS[task], [clip(scene("development", number)) for number in range(batch)]
    given, captions = given_signal(kind.given, clips), [vague_caption(number) for number in range(batch)]
    moments: list[tuple[float, bool]] = []

    def record(step: Step) -> None:
        moments.append((time.perf_counter(), bool(step.tried)))

    generated(
        models, kind.generates, captions, given, rule_of(task, "default"), seed=kind.seed, steps=STEPS, on_step=record
    )
    choice = next(number for number, (_, chosen) in enumerate(moments) if chosen)
    # The first step has no report before it. It is as long as the others.
    steps = (moments[choice - 1][0] - moments[0][0]) * choice / (choice - 1)
    return moments[choice][0] - moments[choice - 1][0], steps


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table with a row for each task."""
    parser = argparse.ArgumentParser(prog="python -m laboratory.benchmarks.choosing", description=__doc__)
    parser.add_argument(
        "--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="the tasks to measure (default: all of them)"
    )
    parser.add_argument("--batch", type=int, default=1, help="samples per batch (default: %(default)s)")
    parser.add_argument(
        "--repetitions", type=int, default=3, metavar="N", help="runs of each task (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    models = demo_models()
    print(f"threads: {torch.get_num_threads()}, torch {torch.__version__}\n")
    print("| task | choosing / the steps of candidates |\n|---|---|", flush=True)
    for task in options.tasks:
        pairs = [costs(models, task, options.batch) for _ in range(options.repetitions)]
        print(f"| {task} | {ratio(*zip(*pairs))} |", flush=True)


if __name__ == "__main__":
    main()
