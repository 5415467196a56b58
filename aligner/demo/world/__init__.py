"""A small audio-visual world, made by formula: eight kinds of events, each with its look, its motion and its sound.

What is seen and what is heard happen at the same moments, so that whether a sound belongs to a video has an answer.
"""

from .captions import VAGUE_CAPTIONS, right_caption, vague_caption, wrong_caption
from .clips import FPS, FRAMES, SAMPLES, Clip, clip
from .events import EVENTS, Event
from .looks import SIDE
from .scenes import SECONDS, SPLITS, Scene, scene, scene_of
from .sounds import SAMPLE_RATE

__all__ = ["Clip", "EVENTS", "Event", "FPS", "FRAMES", "SAMPLES", "SAMPLE_RATE", "SECONDS", "SIDE", "SPLITS", "Scene",
           "VAGUE_CAPTIONS", "clip", "right_caption", "scene", "scene_of", "vague_caption", "wrong_caption"]
