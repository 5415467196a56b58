"""A small MM-Diffusion with random weights."""

import pytest
import torch

from aligner.generators.mm_diffusion import CoupledUNet, CoupledUNetConfig, MMDiffusion

#: 0.8 seconds: long enough for a binder.
SMALL = CoupledUNetConfig(
    frames=8,
    side=16,
    samples=12_800,
    channels=8,
    multipliers=(1, 1, 1),
    res_blocks=1,
    windows=(0, 0, 2),
    heads=2,
    head_channels=4,
    norm_groups=2,
)


def random_network(config: CoupledUNetConfig = SMALL) -> CoupledUNet:
    draw, unet = torch.Generator().manual_seed(5), CoupledUNet(config)
    for parameter in unet.parameters():
        scale = 0.7 * parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.3
        parameter.data = scale * torch.randn(parameter.shape, generator=draw)
    return unet


@pytest.fixture(scope="session")
def model() -> MMDiffusion:
    return MMDiffusion(random_network())
