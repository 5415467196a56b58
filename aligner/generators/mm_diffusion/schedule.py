"""The schedule of noise that MM-Diffusion and guided-diffusion are trained with: linear, from 0.0001 to 0.02."""

from __future__ import annotations

import torch

TIMESTEPS, _FIRST_BETA, _LAST_BETA = 1000, 1e-4, 0.02


def alphas_cumprod() -> torch.Tensor:
    """(1000,) float64: the part of the signal in the variance at each timestep."""
    return (1 - torch.linspace(_FIRST_BETA, _LAST_BETA, TIMESTEPS, dtype=torch.float64)).cumprod(0)
