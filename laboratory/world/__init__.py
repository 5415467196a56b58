"""A small audio-visual world, made by formula: eight kinds of events, each with its look, its motion and its sound.

An event is seen and heard at the same moments, so that it is known which sound belongs to which video.
"""

from aligner.demo.events import EVENTS, Event
from aligner.demo.shape import FPS, FRAMES, SAMPLE_RATE, SAMPLES, SECONDS, SIDE

from .captions import VAGUE_CAPTIONS, right_caption, vague_caption, wrong_caption
from .clips import Clip, clip
from .scenes import SPLITS, Scene, plain, scene, scene_of

__all__ = [
    "Clip",
    "EVENTS",
    "Event",
    "FPS",
    "FRAMES",
    "SAMPLES",
    "SAMPLE_RATE",
    "SECONDS",
    "SIDE",
    "SPLITS",
    "Scene",
    "VAGUE_CAPTIONS",
    "clip",
    "plain",
    "right_caption",
    "scene",
    "scene_of",
    "vague_caption",
    "wrong_caption",
]
