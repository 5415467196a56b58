"""MM-Diffusion (arXiv 2212.09478): video and sound from one network, without words."""

from .checkpoint import load_mm_diffusion, save_mm_diffusion
from .config import PUBLISHED, CoupledUNetConfig
from .generator import STREAMS, MMDiffusion, MMDiffusionDenoiser, sampler_of
from .unet import CoupledUNet

__all__ = [
    "PUBLISHED",
    "STREAMS",
    "CoupledUNet",
    "CoupledUNetConfig",
    "MMDiffusion",
    "MMDiffusionDenoiser",
    "load_mm_diffusion",
    "sampler_of",
    "save_mm_diffusion",
]
