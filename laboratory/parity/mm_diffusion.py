"""Compares our MM-Diffusion with its authors' code: `python -m laboratory.parity.mm_diffusion FOLDER`.

FOLDER holds the files of github.com/researchmm/MM-Diffusion. Both run a small network with the same random weights and
shifts in float64. `--record FILE` writes what theirs makes; the tests compare ours with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from aligner.generators.base import Denoiser, Generator, Streams
from aligner.generators.inpainting import Inpainting
from aligner.generators.mm_diffusion import STREAMS, CoupledUNet, CoupledUNetConfig, MMDiffusion
from aligner.generators.reconstruction import Reconstruction

#: Every part of the published network, small. The authors' middle block needs the published windows.
SMALL = CoupledUNetConfig(
    frames=8,
    side=16,
    samples=1024,
    sample_rate=1280,
    channels=32,
    multipliers=(1, 1, 2, 2),
    res_blocks=1,
    heads=2,
    head_channels=16,
)
TIMESTEP = 700
#: Evaluations of the samplers.
SOLVER_STEPS, DDIM_STEPS = 20, 10
#: Of the reconstruction gradient: large enough that a small network follows it.
SCALE = 1e5


def small_network() -> CoupledUNet:
    """The small network with random weights in float64: the same everywhere."""
    draw, unet = torch.Generator().manual_seed(0), CoupledUNet(SMALL).double()
    for parameter in unet.parameters():
        scale = 0.7 * parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.3
        parameter.data = scale * torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
    return unet.eval()


def noise(seed: int) -> Streams:
    """One sample of both streams in float64."""
    draw = torch.Generator().manual_seed(seed)
    shapes = {"video": (1, 3, SMALL.frames, SMALL.side, SMALL.side), "audio": (1, 1, SMALL.samples)}
    return {stream: torch.randn(shape, generator=draw, dtype=torch.float64) for stream, shape in shapes.items()}


def start() -> Streams:
    """What sampling starts from."""
    return noise(1)


def direction() -> Streams:
    """The weights of the sum whose gradient is compared."""
    return noise(2)


def recording(stream: str) -> Streams:
    """A video or a sound in -1..1 that the other one is made for."""
    return {stream: noise(3)[stream].tanh()}


def shifts(unet: CoupledUNet, timestep: int) -> list[int]:
    """The shifts that our denoiser draws at a timestep."""
    return unet.draw_shifts(torch.Generator().manual_seed(timestep))


def ours() -> dict[str, torch.Tensor]:
    """What our code makes, by name."""
    unet = small_network()
    model = MMDiffusion(unet)
    ddim = model.denoiser(steps=DDIM_STEPS, sampler="ddim")
    return {
        **_predicted(unet),
        **named("dpm-solver", _followed(model.denoiser(steps=SOLVER_STEPS, sampler="dpm-solver"))),
        **named("dpm-solver-clean", _followed(model.denoiser(steps=SOLVER_STEPS + 1, sampler="dpm-solver-clean"))),
        **named("ddim", _followed(ddim)),
        **{name: each for stream in STREAMS for name, each in _beside(ddim, stream).items()},
    }


def _beside(ddim: Generator, stream: str) -> dict[str, torch.Tensor]:
    """What is made for a given stream, in both ways."""
    kept, latents = recording(stream), start()
    masks = {stream: torch.zeros([1] * kept[stream].dim(), dtype=torch.float64)}
    # The reference takes the mean of the squared error, and ours is the sum.
    scale = SCALE / kept[stream].numel()
    ways = {
        "replaced": Inpainting(ddim, masks, kept, {stream: latents[stream]}),
        "reconstructed": Reconstruction(ddim, masks, kept, {stream: latents[stream]}, scale=scale),
    }
    return {
        name: each
        for way, denoiser in ways.items()
        for name, each in named(way, _followed(denoiser)).items()
        if not name.endswith(stream)
    }


def named(name: str, streams: Streams) -> dict[str, torch.Tensor]:
    """Streams by longer names."""
    return {f"{name} {stream}": each.detach() for stream, each in streams.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print how far ours is from theirs, in parts of theirs."""
    parser = argparse.ArgumentParser(prog="python -m laboratory.parity.mm_diffusion", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--record", type=Path, metavar="FILE", help="write what theirs makes")
    options = parser.parse_args(arguments)
    from .mm_diffusion_reference import checkpointing_error, theirs

    expected, made = theirs(options.folder), ours()
    for name, tensor in expected.items():
        print(f"{name}: {((made[name] - tensor).norm() / tensor.norm()).item():.1e}")
    print(f"their gradient where their checkpointing recomputes: {checkpointing_error(options.folder):.1e}")
    if options.record:
        save_file({name: tensor.float().contiguous() for name, tensor in expected.items()}, options.record)


def _predicted(unet: CoupledUNet) -> dict[str, torch.Tensor]:
    """A prediction, and the gradient of a weighted sum of it."""
    leaves = {stream: each.requires_grad_() for stream, each in start().items()}
    seen, heard = unet(*leaves.values(), torch.tensor([TIMESTEP]), shifts(unet, TIMESTEP))
    output = {"video": seen, "audio": heard}
    total = torch.stack([(output[stream] * each).sum() for stream, each in direction().items()]).sum()
    gradients = dict(zip(leaves, torch.autograd.grad(total, list(leaves.values()))))
    return named("predicted", output) | named("gradient", gradients)


def _followed(denoiser: Denoiser) -> Streams:
    """The streams after all steps."""
    latents = start()
    if isinstance(denoiser, Inpainting):
        latents |= denoiser.noised(denoiser.kept, denoiser.noise, 0)
    for index in range(denoiser.steps):
        latents = denoiser.step(latents, denoiser.predict(latents, {}, index), index)
    return latents


if __name__ == "__main__":
    main()
