"""PE-AV: one space for sounds, videos, both together, and texts, with weights that anyone may use (Apache 2.0).

Vyas et al., "Pushing the Frontier of Audiovisual Perception with Large-Scale Multimodal Correspondence Learning",
arXiv 2512.19687. The networks are those of transformers; this package reaches them with gradients.
"""

from .binder import PEAV
from .folder import load_pe_av

__all__ = ["PEAV", "load_pe_av"]
