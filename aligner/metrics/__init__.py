"""Evaluation metrics, computed from features, logits, embeddings and peak times.

The Frechet distance is FD with features of Cnn14, FAD with those of VGGish, and FVD with those of I3D. `networks` holds
these three; users supply their weights. Only AV-Align analyses recordings itself.
"""

from .audio_onsets import audio_onsets
from .av_align import AVAlign, av_align, av_align_of_clip
from .bind import bind_score, bind_scores
from .bootstrap import ConfidenceInterval, bootstrap_interval
from .divergence import kl_divergence
from .frechet import frechet_distance
from .inception_score import InceptionScore, inception_score
from .kernel_distance import (
    KernelDistance,
    kernel_distance,
    kernel_distance_over_subsets,
)
from .optical_flow import optical_flow
from .video_peaks import local_maxima, mean_flow, motion_curve, video_peaks

__all__ = [
    "AVAlign",
    "ConfidenceInterval",
    "InceptionScore",
    "KernelDistance",
    "audio_onsets",
    "av_align",
    "av_align_of_clip",
    "bind_score",
    "bind_scores",
    "bootstrap_interval",
    "frechet_distance",
    "inception_score",
    "kernel_distance",
    "kernel_distance_over_subsets",
    "kl_divergence",
    "local_maxima",
    "mean_flow",
    "motion_curve",
    "optical_flow",
    "video_peaks",
]
