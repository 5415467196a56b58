"""The commands, by the names that the parser gives them. Each one checks, reads, steers and writes."""

from ..demo import demo
from .batch import batch
from .coupled import mm_diffusion
from .joint import joint
from .score import score
from .sound import image_to_audio, video_to_audio
from .video import audio_to_image, audio_to_video

__all__ = [
    "audio_to_image",
    "audio_to_video",
    "batch",
    "demo",
    "image_to_audio",
    "joint",
    "mm_diffusion",
    "score",
    "video_to_audio",
]
