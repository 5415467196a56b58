"""The memory of one guided step of audio-to-video, counted without a GPU and without weights."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from aligner.generators.animatediff import STREAM
from aligner.generators.signals import Frames
from aligner.guidance.rule import Guidance
from aligner.sampling import GRADIENT_SCALE, sample
from aligner.tensors.checkpointing import checkpointed
from aligner.tensors.determinism import repeatable
from aligner.tensors.precision import DTYPES

from .fakes import FakeBytes
from .measure import peak_bytes
from .video_scene import SIZES, VideoScene, fake_video_scene, random_video_scene

RATES, PROMPT_RATES = {STREAM: 0.01}, {STREAM: 0.01}


@dataclass(frozen=True)
class OurStep:
    """The project's own loop, over one step."""

    name: str
    guidance: Guidance | None
    decoding: str = "exact"

    def __call__(self, scene: VideoScene) -> None:
        denoiser = scene.denoiser(self.decoding)
        with self._memory(scene, denoiser):
            sample(denoiser, {STREAM: scene.latent}, {STREAM: scene.prompt}, self.guidance, scene.objective)

    def _memory(self, scene: VideoScene, denoiser) -> AbstractContextManager:
        if self.guidance and self.guidance.checkpointing:
            return checkpointed([*denoiser.checkpointable(), *scene.binder.blocks()])
        return nullcontext()

    def on_device(self, scene: VideoScene) -> list[nn.Module]:
        """The networks whose weights are there while the step runs."""
        return scene.working


class NaiveStep:
    """The same update as its equations read: both halves of the guidance in one batch, every frame decoded together,
    one graph from the prompt to the loss; all networks are kept on the device."""

    name = "naive, prompt tuning"

    def __call__(self, scene: VideoScene) -> None:
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
        return scene.networks


def _guided(**settings) -> Guidance:
    return Guidance(**{"rule": "released", "rates": RATES, "prompt_rates": {}, "start": 0.0} | settings)


STEPS = (
    NaiveStep(),
    OurStep("not guided", None),
    OurStep("latent", _guided()),
    OurStep("latent, checkpointing", _guided(checkpointing=True)),
    OurStep("latent, checkpointing, half decoding", _guided(checkpointing=True), "half"),
    OurStep("latent and prompt", _guided(prompt_rates=PROMPT_RATES)),
    OurStep("latent and prompt, checkpointing", _guided(prompt_rates=PROMPT_RATES, checkpointing=True)),
    OurStep("paper's rule", _guided(rule="paper")),
    OurStep("paper's rule, checkpointing", _guided(rule="paper", checkpointing=True)),
)


@dataclass(frozen=True)
class Need:
    """Bytes on the device: of weights, and of whatever else is alive when most is."""

    weights: int
    activations: int

    @property
    def together(self) -> int:
        return self.weights + self.activations


def counted(step: OurStep | NaiveStep, scene: VideoScene) -> Need:
    """What a step takes, counted on a scene of fakes."""
    with FakeBytes(_tensors(scene.networks)) as live:
        step(scene)
    return Need(sum(tensor.nbytes for tensor in _tensors(step.on_device(scene))), live.peak)


def measured(step: OurStep | NaiveStep, scene: VideoScene, device: torch.device) -> int | None:
    """The activations' bytes as the GPU's allocator counts them; None where they do not fit."""
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
        description=f"{__doc__} Where there is a GPU, every step also runs there, with random weights.",
    )
    parser.add_argument(
        "--size",
        choices=SIZES,
        default="full",
        help="small: the demonstration's models; full: Stable Diffusion 1.5, AnimateDiff v2 and "
        "ImageBind-huge (default: %(default)s)",
    )
    parser.add_argument("--frames", type=int, default=16, help="default: %(default)s, at 8 frames per second")
    parser.add_argument("--height", type=int, default=512, help="in pixels (default: %(default)s)")
    parser.add_argument("--width", type=int, default=512, help="in pixels (default: %(default)s)")
    parser.add_argument("--dtype", choices=DTYPES, default="fp16", help="of the networks (default: %(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
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
