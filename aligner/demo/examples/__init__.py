"""A silent clip of two seconds, one frame of it, and the sound that belongs to it."""

from pathlib import Path

EXAMPLE_VIDEO = Path(__file__).parent / "example.mp4"
EXAMPLE_IMAGE = Path(__file__).parent / "example.png"
EXAMPLE_SOUND = Path(__file__).parent / "example.wav"
#: Seconds at which the ball lands and its sound begins.
EXAMPLE_EVENTS = (0.26, 1.26)
