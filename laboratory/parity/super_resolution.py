"""Compares our super-resolution with the code of MM-Diffusion's authors.

Run `python -m laboratory.parity.super_resolution FOLDER`, where the folder holds the files of
github.com/researchmm/MM-Diffusion. Both run a small network with the same random weights in float64. `--record FILE`
writes what theirs makes; the tests compare ours with it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from aligner.generators.super_resolution import SuperResolutionConfig, SuperResolutionUNet, Upscaler

from .reference_code import reference_module

SMALL = SuperResolutionConfig(channels=32, multipliers=(1, 2), res_blocks=1, attended=(1,), heads=2)
TIMESTEP, STEPS, SEED, SIDE = 300, 5, 4, 8


def small_network() -> SuperResolutionUNet:
    """The small network with random weights in float64: the same everywhere."""
    draw, unet = torch.Generator().manual_seed(0), SuperResolutionUNet(SMALL).double()
    for parameter in unet.parameters():
        scale = 0.7 * parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.3
        parameter.data = scale * torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
    return unet.eval()


def frames() -> torch.Tensor:
    """Two small frames in 0..1: (2, 3, 8, 8)."""
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def large() -> torch.Tensor:
    """Noise of the large size: (1, 3, 32, 32), what a seed draws."""
    side = SIDE * SMALL.scale
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(SEED)).double()


@torch.no_grad()
def ours() -> dict[str, torch.Tensor]:
    """What our code makes, by name."""
    unet = small_network()
    predicted = unet(large().expand(2, -1, -1, -1), torch.full((2,), TIMESTEP), 2 * frames() - 1)
    return {"predicted": predicted, "enlarged": Upscaler(unet).enlarged(frames(), seed=SEED, steps=STEPS)}


@torch.no_grad()
def theirs(folder: Path) -> dict[str, torch.Tensor]:
    """What the authors' code in a folder makes, by the same names."""
    sys.path.insert(0, str(folder))
    module, gaussian, respace = map(reference_module, ("image_unet", "gaussian_diffusion", "respace"))
    embedding = module.timestep_embedding
    module.timestep_embedding = lambda timesteps, width: embedding(timesteps, width).double()
    reference_module("nn").ImgGroupNorm.forward = torch.nn.GroupNorm.forward
    network = module.ImageSuperResModel(
        SIDE * SMALL.scale,
        3,
        SMALL.channels,
        6,
        SMALL.res_blocks,
        tuple(2**level for level in SMALL.attended),
        channel_mult=SMALL.multipliers,
        num_heads=SMALL.heads,
        use_scale_shift_norm=True,
        resblock_updown=True,
    )
    network.dtype = torch.float64
    network.double().eval().load_state_dict(small_network().state_dict(), strict=True)
    diffusion = respace.SpacedDiffusion(
        use_timesteps=respace.space_timesteps(1000, f"ddim{STEPS}"),
        betas=gaussian.get_named_beta_schedule("linear", 1000),
        model_mean_type=gaussian.ModelMeanType.EPSILON,
        model_var_type=gaussian.ModelVarType.LEARNED_RANGE,
        loss_type=gaussian.LossType.MSE,
        rescale_timesteps=False,
    )
    noise, small = large().repeat(2, 1, 1, 1), 2 * frames() - 1
    made = diffusion.ddim_sample_loop(
        network, noise.shape, noise=noise, model_kwargs={"low_res": small}, device=torch.device("cpu")
    )
    predicted = network(noise, torch.full((2,), TIMESTEP), low_res=small)[:, :3]
    return {"predicted": predicted, "enlarged": ((made + 1) / 2).clamp(0, 1)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print how far ours is from theirs, in parts of theirs."""
    parser = argparse.ArgumentParser(prog="python -m laboratory.parity.super_resolution", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--record", type=Path, metavar="FILE", help="write what theirs makes")
    options = parser.parse_args(arguments)
    expected, made = theirs(options.folder), ours()
    for name, tensor in expected.items():
        print(f"{name}: {((made[name] - tensor).norm() / tensor.norm()).item():.1e}")
    if options.record:
        save_file({name: tensor.float().contiguous() for name, tensor in expected.items()}, options.record)


if __name__ == "__main__":
    main()
