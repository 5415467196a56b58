"""Draws the bundled example inputs, a bouncing ball: `python -m aligner.demo.make_example`.

The ball falls and bounces ever lower as it crosses the picture: the sound it asks for has clear moments.
The sound, in a file of its own, has those moments. Everything is made by formula, with soft edges, and comes out the
same every time.
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from ..media import write_audio, write_video, written_whole

VIDEO = Path(__file__).with_name("example.mp4")
PICTURE = Path(__file__).with_name("example.png")
SOUND = Path(__file__).with_name("example.wav")
FPS, SECONDS = 24, 4
WIDTH, HEIGHT, FLOOR = 320, 180, 146
RADIUS = 17
DROP, FALL_SECONDS, RESTITUTION = 104.0, 0.5, 0.8
PICTURED_FRAME = 28
SAMPLE_RATE, KNOCK_HERTZ, RING_SECONDS = 16000, (190.0, 410.0, 930.0), 0.06

SKY_TOP, SKY_LOW = (0.36, 0.58, 0.78), (0.93, 0.90, 0.80)
GROUND_FAR, GROUND_NEAR = (0.80, 0.68, 0.52), (0.58, 0.44, 0.33)
BALL, BALL_SHADE, SHADOW = (0.95, 0.36, 0.22), (0.52, 0.10, 0.16), (0.20, 0.13, 0.14)


def height_at(time: float) -> float:
    """Pixels between the ball and the floor, `time` seconds after it was let go."""
    bounce = FALL_SECONDS
    time += FALL_SECONDS  # the fall is the second half of a first, full bounce
    peak = DROP
    while time > 2 * bounce and peak > 0.5:
        time -= 2 * bounce
        bounce, peak = bounce * RESTITUTION, peak * RESTITUTION**2
    if peak <= 0.5:
        return 0.0
    return peak * (1 - (time / bounce - 1) ** 2)


def frame_at(time: float) -> torch.Tensor:
    """The scene `time` seconds from the beginning, uint8 (HEIGHT, WIDTH, 3)."""
    y, x = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    height = height_at(time)
    center_x, center_y = 38 + 62 * time, FLOOR - RADIUS - height

    sky = _blend(SKY_TOP, SKY_LOW, (y / FLOOR).clamp(0, 1))
    ground = _blend(GROUND_FAR, GROUND_NEAR, ((y - FLOOR + 12) / (HEIGHT - FLOOR + 12)).clamp(0, 1))
    scene = _over(sky, ground, _inside(FLOOR - 12 - y))

    spread = 1 + height / DROP  # the higher the ball, the wider and fainter its shadow
    across, along = (x - center_x) / (RADIUS * spread), (y - FLOOR) / (0.26 * RADIUS * spread)
    shadow = 0.55 / spread**1.5 * torch.sigmoid(5 * (1 - torch.hypot(across, along)))
    scene = _over(scene, torch.tensor(SHADOW), shadow)

    light = torch.hypot(x - center_x + 0.38 * RADIUS, y - center_y + 0.42 * RADIUS) / (1.5 * RADIUS)
    ball = _blend(BALL, BALL_SHADE, light.clamp(0, 1) ** 1.6)
    gleam = torch.exp(-((light / 0.16) ** 2))
    ball = _over(ball, torch.ones(3), 0.75 * gleam)
    scene = _over(scene, ball, _inside(torch.hypot(x - center_x, y - center_y) - RADIUS))
    return scene.mul(255).round().clamp(0, 255).to(torch.uint8)


def _blend(start: tuple[float, ...], end: tuple[float, ...], amount: torch.Tensor) -> torch.Tensor:
    return torch.lerp(torch.tensor(start), torch.tensor(end), amount[..., None])


def _inside(distance: torch.Tensor) -> torch.Tensor:
    """How much of each pixel lies inside a shape, from its signed distance to the edge: smooth outlines."""
    return (0.5 - distance).clamp(0, 1)


def _over(below: torch.Tensor, above: torch.Tensor, opacity: torch.Tensor) -> torch.Tensor:
    return torch.lerp(below, above.expand_as(below), opacity[..., None])


def bounces() -> list[tuple[float, float]]:
    """When the ball meets the floor, in seconds, and how fast, where the first time is 1."""
    found, time, bounce, speed = [], FALL_SECONDS, FALL_SECONDS, 1.0
    while time < SECONDS and speed > 0.05:
        found.append((time, speed))
        bounce, speed = bounce * RESTITUTION, speed * RESTITUTION
        time += 2 * bounce
    return found


def knocks() -> torch.Tensor:
    """The sound of the ball on the floor, (1, SAMPLE_RATE * SECONDS) in -1..1: a few dying tones at every bounce."""
    times = torch.arange(SAMPLE_RATE * SECONDS) / SAMPLE_RATE
    sound = torch.zeros_like(times)
    for moment, speed in bounces():
        since = (times - moment).clamp(min=0)
        for order, hertz in enumerate(KNOCK_HERTZ, start=1):
            ringing = torch.exp(-since * order / RING_SECONDS) * torch.sin(2 * torch.pi * hertz * since)
            sound += 0.4 * speed / order * ringing
    return sound.unsqueeze(0)


def main() -> None:
    frames = torch.stack([frame_at(number / FPS) for number in range(FPS * SECONDS)])
    write_video(VIDEO, frames, FPS)
    with written_whole(PICTURE) as temporary:
        Image.fromarray(frames[PICTURED_FRAME].numpy()).save(temporary, optimize=True)
    write_audio(SOUND, knocks(), SAMPLE_RATE)
    for path in (VIDEO, PICTURE, SOUND):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
