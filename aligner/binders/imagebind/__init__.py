"""ImageBind's vision, audio and text towers: one space in which pictures, sounds and words can be compared.

Girdhar et al., "ImageBind: One Embedding Space To Bind Them All", arXiv 2305.05665. This is the project's own
implementation; it loads the published weights, which are licensed CC BY-NC-SA 4.0 (non-commercial).
"""

from ..base import Embedding
from .binder import ImageBind
from .checkpoint import load_imagebind, save_imagebind
from .config import HUGE, ImageBindConfig, TowerConfig
from .encode import embed_audio, embed_frames, embed_image, embed_text

__all__ = [
    "HUGE",
    "Embedding",
    "ImageBind",
    "ImageBindConfig",
    "TowerConfig",
    "embed_audio",
    "embed_frames",
    "embed_image",
    "embed_text",
    "load_imagebind",
    "save_imagebind",
]
