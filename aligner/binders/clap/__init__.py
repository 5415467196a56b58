"""CLAP: one space for sounds and texts, small, with weights that anyone may use (laion's: Apache 2.0).

Wu et al., "Large-scale Contrastive Language-Audio Pretraining with Feature Fusion and Keyword-to-Caption Augmentation",
arXiv 2211.06687. The networks are those of transformers; this package reaches them with gradients.
"""

from .binder import CLAP
from .folder import load_clap

__all__ = ["CLAP", "load_clap"]
