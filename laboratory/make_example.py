"""Draws the bundled example inputs, a scene of the demo's world: `python -m laboratory.make_example`.

The video is silent, the sound has a file of its own, and the picture shows the event: each asks for the others.
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from aligner.files.atomic import written_whole
from aligner.media import write_audio, write_video

from .world import FPS, FRAMES, SAMPLE_RATE, SAMPLES, Scene, scene
from .world.looks import drawn
from .world.sounds import played

VIDEO = Path(__file__).with_name("example.mp4")
PICTURE = Path(__file__).with_name("example.png")
SOUND = Path(__file__).with_name("example.wav")
SIDE = 256


def example() -> Scene:
    """A scene that no model has learnt from, with two events."""
    return scene("development", 56)


def frames() -> torch.Tensor:
    """(16, 256, 256, 3) uint8: larger than the demo models' own pictures, to be looked at."""
    pixels = drawn(example(), torch.arange(FRAMES, dtype=torch.float64) / FPS, SIDE)
    return pixels.permute(0, 2, 3, 1).mul(255).round().to(torch.uint8)


def pictured() -> int:
    """The frame in which the first event has just begun."""
    return round(example().times[0] * FPS) + 1


def main() -> None:
    write_video(VIDEO, frames(), FPS)
    with written_whole(PICTURE) as temporary:
        Image.fromarray(frames()[pictured()].numpy()).save(temporary, optimize=True)
    write_audio(SOUND, played(example(), SAMPLES).unsqueeze(0), SAMPLE_RATE)
    for path in (VIDEO, PICTURE, SOUND):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
