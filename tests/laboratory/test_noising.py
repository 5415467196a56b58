"""The diffusion loss, and weights that two networks share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from laboratory.training.diffusion import Noising, share_weights
from laboratory.training.sizes import AUDIO_SCHEDULE, IMAGE_SCHEDULE

EACH_SCHEDULE = pytest.mark.parametrize("settings", [AUDIO_SCHEDULE, IMAGE_SCHEDULE], ids=["audio", "image"])


def kept_variance(settings: dict) -> torch.Tensor:
    """alpha-bar of every timestep, by its definition."""
    first, last = settings["beta_start"], settings["beta_end"]
    if settings["beta_schedule"] == "scaled_linear":
        betas = torch.linspace(first**0.5, last**0.5, 1000, dtype=torch.float64).square()
    else:
        betas = torch.linspace(first, last, 1000, dtype=torch.float64)
    return (1 - betas).cumprod(dim=0)


@EACH_SCHEDULE
def test_the_true_v_has_no_error(settings, seeded):
    """v = sqrt(a) noise - sqrt(1 - a) clean, and the noisy latent is sqrt(a) clean + sqrt(1 - a) noise."""
    clean = torch.randn(64, 4, 8, 8, generator=seeded)

    def true_v(noisy: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        kept = kept_variance(settings)[timesteps].view(-1, 1, 1, 1)
        noise = (noisy - kept.sqrt() * clean) / (1 - kept).sqrt()
        return kept.sqrt() * noise - (1 - kept).sqrt() * clean

    losses = Noising(settings, "cpu").loss(true_v, clean, seeded)
    assert losses.keys() == {"loss", "early"}
    assert losses["loss"] < 1e-8 and losses["early"] < 1e-8


@EACH_SCHEDULE
def test_the_loss_is_the_mean_squared_error_and_early_that_at_high_noise(settings):
    """For a clean latent of 0, v = sqrt(a) noise. A prediction of 0 has a mean squared error of a."""
    seen = []

    def zero(noisy: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        seen.append(timesteps)
        return torch.zeros_like(noisy)

    losses = Noising(settings, "cpu").loss(zero, torch.zeros(512, 8, 8, 8), torch.Generator().manual_seed(1))
    kept, early = kept_variance(settings)[seen[0]], seen[0] > 800
    assert len(seen) == 1 and seen[0].min() >= 0 and early.any() and not early.all()
    assert losses["loss"].item() == pytest.approx(kept.mean().item(), rel=0.02)
    assert losses["early"].item() == pytest.approx(kept[early].mean().item(), rel=0.05)


def test_the_same_generator_gives_the_same_loss():
    def one(seed: int) -> float:
        return (
            Noising(IMAGE_SCHEDULE, "cpu")
            .loss(lambda noisy, t: noisy, torch.ones(4, 2), torch.Generator().manual_seed(seed))["loss"]
            .item()
        )

    assert one(1) == one(1) != one(2)


def test_shared_weights_are_counted_once():
    part = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 2, bias=False)))
    whole = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 2, bias=False)), nn.Linear(2, 2))
    share_weights(whole, part)
    both = nn.ModuleList([whole, part])
    assert len(list(both.parameters())) == 3 + 2
    part[1][0].weight.data.fill_(7)
    assert (whole[1][0].weight == 7).all()
    whole(torch.ones(1, 3)).sum().backward()
    assert part[0].weight.grad.any()
