"""Counts the memory of one guided step of audio-to-video, without a GPU and without weights."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from aligner.generation import saving_memory
from aligner.generators.animatediff import STREAM
from aligner.generators.signals import Frames
from aligner.guidance.gradient import GRADIENT_SCALE, Paper, Released
from aligner.guidance.rule import Rule, Run, Scope, Unguided
from aligner.sampling import sample
from aligner.tensors.determinism import repeatable
from aligner.tensors.precision import DTYPES

from .fakes import FakeBytes
from .measure import peak_bytes
from .video_scene import SIZES, VideoScene, fake_video_scene, random_video_scene

RATES, PROMPT_RATES = {STREAM: 0.01}, {STREAM: 0.01}


@dataclass(frozen=True)
class OurStep:
    """A step of this project's loop by a rule. decoding: how guidance decodes frames."""

    name: str
    rule: Rule
    decoding: str = "exact"

    def __call__(self, scene: VideoScene) -> None:
        """Take the step."""
        denoiser, latents, prompts = scene.denoiser(self.decoding), {STREAM: scene.latent}, {STREAM: scene.prompt}
        scope = Scope(denoiser, {self.rule.comparison: scene.objective})
        run = Run(scope, lambda: latents, lambda step: None, self.rule.passes(scope))
        with saving_memory(self.rule, denoiser, scene.binder):
            sample(self.rule, run, latents, prompts)

    def on_device(self, scene: VideoScene) -> list[nn.Module]:
        """The networks whose weights are on the device while the step runs."""
        return scene.working


class NaiveStep:
    """The same update, written as its equations read.

    Both halves of classifier-free guidance are one batch, all frames are decoded together, one graph reaches from the
    prompt to the loss, and all networks stay on the device.
    """

    name = "naive, prompt tuning"

    def __call__(self, scene: VideoScene) -> None:
        """Take the step."""
        denoiser = scene.denoiser()
        latent, prompt = {STREAM: scene.latent}, scene.prompt.clone().requires_grad_()
        both = denoiser.network(
            torch.cat([scene.latent] * 2), denoiser.timesteps[0], torch.cat([denoiser.negative, prompt])
        )
        unconditional, conditional = both.chunk(2)
        output = {STREAM: unconditional + denoiser.cfg * (conditional - unconditional)}
        with torch.no_grad():
            latent = denoiser.step(latent, output, 0)
        latent[STREAM].requires_grad_()
        clean = denoiser.x0(latent, output, 0)[STREAM]
        pixels = scene.model.decode(clean[0].transpose(0, 1))
        loss = scene.objective({STREAM: Frames(pixels[None], denoiser.fps)}).loss
        optimiser = torch.optim.Adam(
            [{"params": latent.values(), "lr": RATES[STREAM]}, {"params": [prompt], "lr": PROMPT_RATES[STREAM]}]
        )
        leaves = [latent[STREAM], prompt]
        for leaf, gradient in zip(leaves, torch.autograd.grad(loss.sum() * GRADIENT_SCALE, leaves)):
            leaf.grad = gradient / GRADIENT_SCALE
        optimiser.step()

    def on_device(self, scene: VideoScene) -> list[nn.Module]:
        """The networks whose weights are on the device while the step runs."""
        return scene.networks


_LATENT = Released(rates=RATES, prompt_rates={}, start=0.0, checkpointing=False)
_LATENT_AND_PROMPT = replace(_LATENT, prompt_rates=PROMPT_RATES)
_PAPER = Paper(rates=RATES, prompt_rates={}, start=0.0, checkpointing=False)

STEPS = (
    NaiveStep(),
    OurStep("not guided", Unguided()),
    OurStep("latent", _LATENT),
    OurStep("latent, checkpointing", _LATENT.frugal()),
    OurStep("latent, checkpointing, half decoding", _LATENT.frugal(), "half"),
    OurStep("latent and prompt", _LATENT_AND_PROMPT),
    OurStep("latent and prompt, checkpointing", _LATENT_AND_PROMPT.frugal()),
    OurStep("paper's rule", _PAPER),
    OurStep("paper's rule, checkpointing", _PAPER.frugal()),
)


@dataclass(frozen=True)
class Need:
    """Bytes on the device: of weights, and of all other tensors at the moment when most are alive."""

    weights: int
    activations: int

    @property
    def together(self) -> int:
        """Weights and activations."""
        return self.weights + self.activations


def counted(step: OurStep | NaiveStep, scene: VideoScene) -> Need:
    """Count the memory of a step on a scene of fakes."""
    with FakeBytes(_tensors(scene.networks)) as live:
        step(scene)
    return Need(sum(tensor.nbytes for tensor in _tensors(step.on_device(scene))), live.peak)


def measured(step: OurStep | NaiveStep, scene: VideoScene, device: torch.device) -> int | None:
    """The bytes of activations by the count of the GPU's allocator; None where they do not fit."""
    try:
        with repeatable(device):
            return peak_bytes(lambda: step(scene), device, _tensors(scene.networks))
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return None


def _tensors(networks: Iterable[nn.Module]) -> list[torch.Tensor]:
    return [tensor for network in networks for tensor in (*network.parameters(), *network.buffers())]


def _gibibytes(count: int | None) -> str:
    return "does not fit" if count is None else f"{count / 2**30:.2f} GiB"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m laboratory.benchmarks.video_memory",
        description=f"{__doc__} Where there is a GPU, every step also runs on it, with random weights.",
    )
    parser.add_argument(
        "--size",
        choices=SIZES,
        default="full",
        help="small: small random models; full: Stable Diffusion 1.5, AnimateDiff v2 and ImageBind-huge "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--frames", type=int, default=16, help="frames of the video, at 8 per second (default: %(default)s)"
    )
    parser.add_argument("--height", type=int, default=512, help="height in pixels (default: %(default)s)")
    parser.add_argument("--width", type=int, default=512, help="width in pixels (default: %(default)s)")
    parser.add_argument(
        "--dtype", choices=DTYPES, default="fp16", help="precision of the networks (default: %(default)s)"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table with a row for each step."""
    options = _options(arguments)
    shape = options.size, options.frames, options.height, options.width, DTYPES[options.dtype]
    device = torch.device("cuda") if torch.cuda.is_available() else None
    columns = ["step", "weights", "activations", "together", *(["activations, measured"] if device else [])]
    print(
        f"{options.frames} frames of {options.width} x {options.height}, {options.dtype}, torch {torch.__version__}"
        + (f", {torch.cuda.get_device_name(device)}" if device else "")
        + "\n"
    )
    print(_line(columns), _line("---" for _ in columns), sep="\n", flush=True)
    fake, real = fake_video_scene(*shape), random_video_scene(*shape, device) if device else None
    for step in STEPS:
        need = counted(step, fake)
        figures = [need.weights, need.activations, need.together, *([measured(step, real, device)] if device else [])]
        print(_line([step.name, *map(_gibibytes, figures)]), flush=True)


if __name__ == "__main__":
    main()
