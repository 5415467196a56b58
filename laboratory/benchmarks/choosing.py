"""What a choice costs: rendering, embedding and comparing candidates, in parts of their denoising.

`python -m laboratory.benchmarks.choosing`
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from fractions import Fraction

import torch

from aligner.binders.imagebind import ImageBind
from aligner.binders.imagebind.towers import CLIP_FRAMES
from aligner.conditions.encoding import frames_condition
from aligner.generation import generate
from aligner.generators.audioldm import AudioLDM
from aligner.guidance.rule import Step
from aligner.guidance.search import Search

from ..evaluation.cells import TASKS, rule_of
from ..evaluation.runs import DemoModels, demo_models, generated, given_signal
from ..world import clip, scene, vague_caption
from .measure import ratio
from .scene import PROMPT, SIZES, random_networks

#: Denoising steps of a run.
STEPS = 20
#: Of sound on models of published sizes.
SECONDS = 2


class Watch:
    """Listens to a run that searches, and says what its choice and the steps before it took."""

    def __init__(self) -> None:
        self._moments: list[tuple[float, bool]] = []

    def __call__(self, step: Step) -> None:
        self._moments.append((time.perf_counter(), bool(step.tried)))

    def costs(self) -> tuple[float, float]:
        """The seconds of the choice, and of all steps that the candidates took before it."""
        choice = next(number for number, (_, chosen) in enumerate(self._moments) if chosen)
        seconds = [moment for moment, _ in self._moments]
        # The first step has no report before it. It is as long as the others.
        steps = (seconds[choice - 1] - seconds[0]) * choice / (choice - 1)
        return seconds[choice] - seconds[choice - 1], steps


def toy_costs(models: DemoModels, task: str, batch: int) -> tuple[float, float]:
    """What the default's choice costs on the built-in models, and the steps before it."""
    kind, clips = TASKS[task], [clip(scene("development", number)) for number in range(batch)]
    given, captions = given_signal(kind.given, clips), [vague_caption(number) for number in range(batch)]
    watch = Watch()
    generated(
        models, kind.generates, captions, given, rule_of(task, "default"), seed=kind.seed, steps=STEPS, on_step=watch
    )
    return watch.costs()


def published_costs(model: AudioLDM, binder: ImageBind, candidates: int = 4) -> tuple[float, float]:
    """The same for 2 s of sound by any AudioLDM.

    Few candidates suffice, because all cost the same. The one that goes on is rendered once more.
    """
    denoiser = model.denoiser(seconds=SECONDS, steps=STEPS)
    frames = torch.rand(SECONDS * CLIP_FRAMES, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    watch = Watch()
    generate(
        denoiser,
        denoiser.prompts([PROMPT]),
        seed=0,
        binder=binder,
        conditions=[frames_condition(binder, frames, Fraction(CLIP_FRAMES))],
        rule=Search({"audio": candidates}),
        on_step=watch,
    )
    return watch.costs()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table with a row for each task."""
    parser = argparse.ArgumentParser(prog="python -m laboratory.benchmarks.choosing", description=__doc__)
    parser.add_argument(
        "--tasks", nargs="*", choices=TASKS, default=list(TASKS), help="tasks on the built-in models (default: all)"
    )
    parser.add_argument("--batch", type=int, default=1, help="samples per batch (default: %(default)s)")
    parser.add_argument(
        "--repetitions", type=int, default=3, metavar="N", help="runs of each task (default: %(default)s)"
    )
    parser.add_argument(
        "--sizes",
        nargs="*",
        choices=SIZES,
        default=["m"],
        help="also measure V2A on AudioLDM of these sizes with ImageBind-huge, 4 candidates (default: m)",
    )
    options = parser.parse_args(arguments)
    print(f"threads: {torch.get_num_threads()}, torch {torch.__version__}\n")
    print("| task | models | choosing / the steps of candidates |\n|---|---|---|", flush=True)
    models = demo_models()
    for task in options.tasks:
        pairs = [toy_costs(models, task, options.batch) for _ in range(options.repetitions)]
        print(f"| {task} | built in | {ratio(*zip(*pairs))} |", flush=True)
    for size in options.sizes:
        networks = random_networks(size, 0)
        pairs = [published_costs(*networks) for _ in range(options.repetitions)]
        print(f"| V2A | {size} | {ratio(*zip(*pairs))} |", flush=True)


if __name__ == "__main__":
    main()
