"""Loading of Stable Diffusion 1.5, AnimateDiff's motion modules and LoRA from local files: strict and offline."""

from .base import StableDiffusion, load_stable_diffusion
from .lora import Lora
from .motion import save_motion_module
from .single_file import save_single_file
from .taesd import load_taesd, save_taesd
from .tokenizer import write_tokenizer

__all__ = [
    "Lora",
    "StableDiffusion",
    "load_stable_diffusion",
    "load_taesd",
    "save_motion_module",
    "save_single_file",
    "save_taesd",
    "write_tokenizer",
]
