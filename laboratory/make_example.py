"""Draws the bundled example inputs, a scene of the demo's world: `python -m laboratory.make_example`.

The video is silent, the sound has a file of its own, and the picture shows the event. Each can steer the others.
"""

from __future__ import annotations

import torch
from PIL import Image

from aligner.demo.examples import EXAMPLE_IMAGE, EXAMPLE_SOUND, EXAMPLE_VIDEO
from aligner.files.atomic import written_whole
from aligner.media import write_audio, write_video

from .world import FPS, FRAMES, SAMPLE_RATE, SAMPLES, Scene, scene
from .world.looks import drawn
from .world.sounds import played

#: Width and height in pixels: larger than the demo models' own pictures, for people to look at.
SIDE = 256


def example() -> Scene:
    """A scene with two events that no model was trained on."""
    return scene("development", 56)


def frames() -> torch.Tensor:
    """The frames of the example, (16, 256, 256, 3) uint8."""
    pixels = drawn(example(), torch.arange(FRAMES, dtype=torch.float64) / FPS, SIDE)
    return pixels.permute(0, 2, 3, 1).mul(255).round().to(torch.uint8)


def pictured() -> int:
    """The number of the frame in which the first event has just begun."""
    return round(example().times[0] * FPS) + 1


def main() -> None:
    """Write the three example files into `aligner/demo/examples`."""
    write_video(EXAMPLE_VIDEO, frames(), FPS)
    with written_whole(EXAMPLE_IMAGE) as temporary:
        Image.fromarray(frames()[pictured()].numpy()).save(temporary, optimize=True)
    write_audio(EXAMPLE_SOUND, played(example(), SAMPLES).unsqueeze(0), SAMPLE_RATE)
    for path in (EXAMPLE_VIDEO, EXAMPLE_IMAGE, EXAMPLE_SOUND):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
