"""One guided step of MM-Diffusion: its time beside its unavoidable parts, and its memory in the published size."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from aligner.binders.base import Binder, sampling_of
from aligner.binders.imagebind import HUGE, ImageBind, ImageBindConfig
from aligner.demo.family import load_demo_imagebind, load_demo_mm_diffusion
from aligner.generation import saving_memory
from aligner.generators.base import Generator, Streams
from aligner.generators.mm_diffusion import PUBLISHED, CoupledUNet, CoupledUNetConfig, MMDiffusion
from aligner.generators.reconstruction import Reconstruction
from aligner.guidance.gradient import Gradient, Paper, Released
from aligner.guidance.rule import Rule, Run, Unguided
from aligner.plan import make_plan
from aligner.sampling import sample
from aligner.tensors.determinism import repeatable

from .fakes import FakeBytes, Fakes
from .measure import interleaved_seconds, milliseconds, print_table, ratio

_RATES = {"video": 0.01, "audio": 0.01}
RELEASED = Released(rates=_RATES, prompt_rates={}, start=0.0, checkpointing=False)
PAPER = Paper(rates=_RATES, prompt_rates={}, start=0.0, checkpointing=False)
#: By name, the rules that are timed.
TIMED: dict[str, Gradient] = {"released": RELEASED, "paper": PAPER}
#: By name, the steps whose memory is counted: a rule, and the sampler with which a given video pulls the sound.
COUNTED: dict[str, tuple[Rule, str]] = {
    "not guided": (Unguided(), ""),
    "released": (RELEASED, ""),
    "paper's rule": (PAPER, ""),
    "paper's rule, checkpointing": (PAPER.frugal(), ""),
    "reconstruction, DDIM, checkpointing": (Unguided(), "ddim"),
    "reconstruction, DPM-Solver, checkpointing": (Unguided(), "dpm-solver"),
}
#: The fewest evaluations with which a sampler takes its largest step before the last one, which pulls nothing.
_EVALUATIONS = {"ddim": 2, "dpm-solver": 4}


@dataclass(frozen=True)
class CoupledScene:
    """What a step for a batch of one works on: a denoiser of one step, a binder, and noisy streams."""

    denoiser: Generator
    binder: Binder
    latents: Streams

    def step(self, rule: Rule) -> Streams:
        """Take the step; returns the latents after it."""
        plan = make_plan(rule, self.denoiser, self.binder if rule.guides else None, [])
        run = Run(plan.scope, lambda: self.latents, lambda step: None, plan.total)
        with saving_memory(rule, self.denoiser, self.binder):
            return sample(rule, run, self.latents, {}).latents

    @torch.no_grad()
    def evaluate(self) -> None:
        """An unavoidable part: the network, without a gradient."""
        self.denoiser.predict(self.latents, {}, 0)

    def latent_gradient(self, rule: Gradient) -> list[torch.Tensor]:
        """An unavoidable part: both streams to embeddings and back to the latents, as far as the rule goes."""
        leaves = {stream: each.clone().requires_grad_() for stream, each in self.latents.items()}
        through = any(passed.to_latents for passed in rule.backward(leaves).values())
        with torch.set_grad_enabled(through):
            output = self.denoiser.predict(leaves, {}, 0) if through else self.latents
        clean = self.denoiser.x0(leaves, output, 0)
        sampling = sampling_of(self.binder, rule.comparison.clips)
        embedded = [signal.embed(self.binder, sampling).mean() for signal in self.denoiser.render(clean).values()]
        similarity = torch.nn.functional.cosine_similarity(*embedded).sum()
        return list(torch.autograd.grad(similarity, list(leaves.values())))


def demo_scene(seed: int = 0) -> CoupledScene:
    """The built-in models, and noise."""
    denoiser = load_demo_mm_diffusion().denoiser(steps=1, sampler="ddim")
    return CoupledScene(denoiser, load_demo_imagebind(), denoiser.start([torch.Generator().manual_seed(seed)]))


def fake_scene(
    dtype: torch.dtype, config: CoupledUNetConfig = PUBLISHED, binder_config: ImageBindConfig = HUGE
) -> CoupledScene:
    """Networks of these sizes made of fakes, which take no memory."""
    fakes = Fakes()
    with torch.device("meta"):
        unet, binder = CoupledUNet(config), ImageBind(binder_config)
    fakes.network(unet, dtype), fakes.network(binder, dtype)
    latents = {
        "video": fakes.empty(1, 3, config.frames, config.side, config.side),
        "audio": fakes.empty(1, 1, config.samples),
    }
    return CoupledScene(MMDiffusion(unet).denoiser(steps=1, sampler="ddim"), binder, latents)


def keeping_the_video(scene: CoupledScene, sampler: str) -> CoupledScene:
    """The same where the video is given and pulls the sound."""
    video, denoiser = (
        scene.latents["video"],
        scene.denoiser.model.denoiser(steps=_EVALUATIONS[sampler], sampler=sampler),
    )
    keeping = Reconstruction(denoiser, {"video": torch.zeros(1, 1, 1, 1, 1)}, {"video": video}, {"video": video}, 3)
    return CoupledScene(keeping, scene.binder, scene.latents)


def timed(repetitions: int) -> Iterator[list[str]]:
    """A row for every rule: milliseconds of a step and of its parts, and their ratio."""
    scene, device = demo_scene(), torch.device("cpu")
    for name, rule in TIMED.items():
        works: dict[str, Callable[[], object]] = {
            "step": lambda rule=rule: scene.step(rule),
            "network": scene.evaluate,
            "gradient": lambda rule=rule: scene.latent_gradient(rule),
        }
        for work in works.values():
            work()
        times = interleaved_seconds(works, repetitions, device)
        parts = [network + gradient for network, gradient in zip(times["network"], times["gradient"])]
        yield [name, milliseconds(times["step"]), milliseconds(parts), ratio(times["step"], parts)]


def counted(name: str, scene: CoupledScene) -> int:
    """Bytes of activations of a step by its name, at the moment when most are alive."""
    with FakeBytes(weights(scene)) as live:
        take(name, scene)
    return live.peak


def take(name: str, scene: CoupledScene) -> None:
    """Take a step by its name."""
    rule, sampler = COUNTED[name]
    (keeping_the_video(scene, sampler) if sampler else scene).step(rule)


def weights(scene: CoupledScene) -> list[torch.Tensor]:
    networks = (scene.denoiser.model, scene.binder)
    return [tensor for network in networks for tensor in (*network.parameters(), *network.buffers())]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        prog="python -m laboratory.benchmarks.coupled_step",
        description=f"{__doc__} Time is that of the built-in models; memory is counted without weights.",
    )
    parser.add_argument(
        "--repetitions", type=int, default=9, metavar="N", help="timings of each rule (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    print(f"threads: {torch.get_num_threads()}, torch {torch.__version__}\n")
    with repeatable(torch.device("cpu")):
        print_table(["rule", "a step", "its parts", "step / parts"], timed(options.repetitions))
    print()
    scene = fake_scene(torch.float16)
    print_table(["step", "activations"], ([name, f"{counted(name, scene) / 2**30:.2f} GiB"] for name in COUNTED))


if __name__ == "__main__":
    main()
