"""One guided step of a sound with each binder: its time beside its unavoidable parts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F

from aligner.binders.base import Binder, sampling_of
from aligner.binders.clap import load_clap
from aligner.binders.pe_av import load_pe_av
from aligner.conditions.condition import Condition
from aligner.conditions.encoding import text_condition
from aligner.demo.family import load_demo_audioldm, load_demo_imagebind
from aligner.generators.base import Generator, Streams
from aligner.guidance.gradient import Released
from aligner.guidance.rule import Run
from aligner.plan import make_plan
from aligner.sampling import sample
from aligner.tensors.determinism import repeatable

from ..random_clap import write_random_clap
from ..random_pe_av import write_random_pe_av
from .measure import interleaved_seconds, milliseconds, print_table, ratio

STREAM = "audio"
RULE = Released(rates={STREAM: 0.01}, prompt_rates={}, start=0.0, checkpointing=False)


@dataclass(frozen=True)
class BinderScene:
    """What a step works on: a denoiser of one step, noise, a prompt, a binder and a text that it embedded."""

    denoiser: Generator
    latents: Streams
    prompts: Streams
    binder: Binder
    condition: Condition

    def step(self) -> Streams:
        """Take the step; returns the latents after it."""
        plan = make_plan(RULE, self.denoiser, self.binder, [self.condition])
        run = Run(plan.scope, lambda: self.latents, lambda step: None, plan.total)
        return sample(RULE, run, self.latents, self.prompts).latents

    @torch.no_grad()
    def evaluate(self) -> None:
        """An unavoidable part: the network, without a gradient."""
        self.denoiser.predict(self.latents, self.prompts, 0)

    def latent_gradient(self) -> torch.Tensor:
        """An unavoidable part: the latent to a sound, to its embedding, and back."""
        leaf = self.latents[STREAM].clone().requires_grad_()
        signal = self.denoiser.render(self.denoiser.x0({STREAM: leaf}, self.latents, 0))[STREAM]
        embedding = signal.embed(self.binder, sampling_of(self.binder, RULE.comparison.clips))
        target = self.condition.embedding
        similarity = F.cosine_similarity(embedding.towards("text").mean(), target.towards("audio").mean())
        return torch.autograd.grad(similarity.sum(), leaf)[0]


def binders() -> dict[str, Binder]:
    """The demo's ImageBind, and a PE-AV and a CLAP with random weights, all small."""
    with TemporaryDirectory(prefix="aligner-") as place:
        write_random_pe_av(Path(place) / "pe-av")
        write_random_clap(Path(place) / "clap")
        return {
            "ImageBind": load_demo_imagebind(),
            "PE-AV": load_pe_av(Path(place) / "pe-av"),
            "CLAP": load_clap(Path(place) / "clap"),
        }


def timed(repetitions: int) -> Iterator[list[str]]:
    """A row for every binder: milliseconds of a step and of its parts, and their ratio."""
    denoiser = load_demo_audioldm().denoiser(seconds=2, steps=1)
    latents = denoiser.start([torch.Generator().manual_seed(0)])
    prompts = denoiser.prompts(["a scene"])
    for name, binder in binders().items():
        scene = BinderScene(denoiser, latents, prompts, binder, text_condition(binder, "rain"))
        works: dict[str, Callable[[], object]] = {
            "step": scene.step,
            "network": scene.evaluate,
            "gradient": scene.latent_gradient,
        }
        for work in works.values():
            work()
        times = interleaved_seconds(works, repetitions, torch.device("cpu"))
        parts = [network + gradient for network, gradient in zip(times["network"], times["gradient"])]
        yield [name, milliseconds(times["step"]), milliseconds(parts), ratio(times["step"], parts)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m laboratory.benchmarks.binder_step", description=__doc__)
    parser.add_argument(
        "--repetitions", type=int, default=15, metavar="N", help="timings of each binder (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    print(f"threads: {torch.get_num_threads()}, torch {torch.__version__}\n")
    with repeatable(torch.device("cpu")):
        print_table(["binder", "a step", "its parts", "step / parts"], timed(options.repetitions))


if __name__ == "__main__":
    main()
