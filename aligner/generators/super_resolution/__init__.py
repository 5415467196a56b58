"""Super-resolution of frames by diffusion: the second stage of MM-Diffusion, and a stage for any small video."""

from .checkpoint import load_upscaler, save_upscaler
from .config import PUBLISHED, SuperResolutionConfig
from .unet import SuperResolutionUNet
from .upscaler import Upscaler

__all__ = ["PUBLISHED", "SuperResolutionConfig", "SuperResolutionUNet", "Upscaler", "load_upscaler", "save_upscaler"]
