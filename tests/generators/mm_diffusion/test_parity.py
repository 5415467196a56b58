"""Our MM-Diffusion against what its authors' code made of the same weights (`laboratory.parity.mm_diffusion`)."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from aligner.generators.mm_diffusion import PUBLISHED, CoupledUNet, load_mm_diffusion
from laboratory.parity.mm_diffusion import ours

REFERENCE = load_file(Path(__file__).parent / "reference.safetensors")


@pytest.fixture(scope="module")
def made():
    return ours()


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_it_equals_the_reference(made, name):
    """Predictions, gradients, and whole runs: all samplers, and one stream for the other in both ways."""
    expected = REFERENCE[name].double()
    assert ((made[name] - expected).norm() / expected.norm()).item() < 1e-6


@pytest.mark.parametrize("stream", ["video", "audio"])
def test_the_reconstruction_gradient_matters(made, stream):
    """Otherwise the comparison above could not fail."""
    replaced, reconstructed = made[f"replaced {stream}"], made[f"reconstructed {stream}"]
    assert ((replaced - reconstructed).norm() / replaced.norm()).item() > 0.01


def test_names_and_shapes_equal_the_published_network():
    with torch.device("meta"):
        state = CoupledUNet(PUBLISHED).state_dict()
    assert len(state) == 1046 and sum(each.numel() for each in state.values()) == 133_675_524
    lines = "\n".join(sorted(f"{name} {tuple(each.shape)}" for name, each in state.items()))
    # Of the authors' network with the flags of their scripts.
    digest = "2f010556ac10e3d5d7732234782e9fa9750dfe66f2ab57e7dd631b854235baab"
    assert hashlib.sha256(lines.encode()).hexdigest() == digest


@pytest.mark.slow
def test_published_sizes_load_and_take_a_step(tmp_path):
    """As Landscape.pt is stored: a flat state dict of torch.save."""
    state = {name: 0.02 * torch.randn(each.shape) for name, each in CoupledUNet(PUBLISHED).state_dict().items()}
    torch.save(state, tmp_path / "Landscape.pt")
    denoiser = load_mm_diffusion(tmp_path / "Landscape.pt").denoiser(steps=1)
    latents = denoiser.start([torch.Generator().manual_seed(0)])
    with torch.no_grad():
        moved = denoiser.step(latents, denoiser.predict(latents, {}, 0), 0)
    assert moved["video"].shape == (1, 3, 16, 64, 64) and moved["audio"].shape == (1, 1, 25_600)
    assert all(each.isfinite().all() for each in moved.values())
