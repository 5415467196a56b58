"""The look of each event: a function that paints it on a canvas of 64 x 64 units."""

from __future__ import annotations

import math

import torch

from aligner.demo.shape import SECONDS, SIDE

from .drawing import Canvas, box, capsule, disc, polygon, ring
from .scenes import SIREN_TURN, Scene

#: Seconds that a frame is shown.
_FRAME = 0.125
#: The range of horizontal positions, so that no shape leaves the picture.
_LEFT, _RIGHT = 14.0, 50.0

RED, BLUE, YELLOW, GREEN = (0.92, 0.22, 0.16), (0.20, 0.45, 0.95), (0.95, 0.85, 0.20), (0.25, 0.85, 0.35)
WHITE, GREY, BROWN, ORANGE = (0.96, 0.95, 1.00), (0.62, 0.65, 0.70), (0.45, 0.27, 0.13), (1.00, 0.55, 0.10)
DARK, WATER = (0.07, 0.08, 0.10), (0.55, 0.75, 1.00)


def drawn(scene: Scene, times: torch.Tensor, side: int = SIDE) -> torch.Tensor:
    """Draw the scene at `times` seconds (F,) float64: (F, 3, side, side) float32 in 0..1.

    side: pixels. Edges are one unit wide at every size, so that larger pictures are no sharper.
    """
    canvas = Canvas(len(times), side, scene.top, scene.bottom)
    _LOOKS[scene.event.name](canvas, scene, times)
    return canvas.pixels.float().clamp(0, 1)


def _ball(canvas: Canvas, scene: Scene, times: torch.Tensor) -> None:
    """A ball hangs, drops onto the floor, touches it when the event begins, and slowly rises again."""
    radius, floor = 6.0 + 3.0 * scene.size, 58.0
    now, lifted = times + _FRAME / 2, torch.ones_like(times)
    for begin in scene.times:
        dropped = ((begin - now) / 0.08).clamp(0, 1)
        lifted = torch.where(now < begin, torch.minimum(lifted, dropped), 1 - _fading(now, begin, 0.25))
    height = (26.0 + 8.0 * scene.y) * lifted
    canvas.paint(box(canvas, 32.0, floor + 4.0, 34.0, 4.0), DARK)
    canvas.paint(disc(canvas, _across(scene), floor - radius - height, radius), RED)


def _square(canvas: Canvas, scene: Scene, times: torch.Tensor) -> None:
    """A dim square turns white when the event begins, and fades."""
    half = 8.0 + 4.0 * scene.size
    place = box(canvas, _across(scene), 22.0 + 20.0 * scene.y, half, half)
    canvas.paint(place, BLUE, 0.7)
    canvas.paint(place, WHITE, 0.9 * _glow(scene, times, 0.25))


def _triangle(canvas: Canvas, scene: Scene, times: torch.Tensor) -> None:
    """A triangle stands on one side. With every event it slides to the other, fast at first."""
    slides = sum(_eased(scene, times, begin) for begin in scene.times)
    # To the other side with the first event, and back with the second.
    across = 1 - (slides - 1).abs()
    across = across if scene.turn > 0 else 1 - across
    x = 16.0 + 32.0 * across
    radius, y = 9.0 + 3.0 * scene.size, 20.0 + 24.0 * scene.y
    canvas.paint(polygon(canvas, x, y, radius, corners=3), YELLOW)


def _rain(canvas: Canvas, scene: Scene, times: torch.Tensor) -> None:
    """A cloud from which thick drops fall when the event begins. They fade."""
    x, y = 20.0 + 24.0 * scene.x, 12.0 + 4.0 * scene.y
    raining = _glow(scene, times, 0.35)
    draw = torch.Generator().manual_seed(scene.noise_seed)
    for column in range(5):
        start = torch.rand(1, generator=draw, dtype=torch.float64)
        drop = (start + 1.5 * times) % 1
        fallen = capsule(canvas, x - 14 + 7.0 * column, y + 12 + 30.0 * drop, length=8.0, radius=2.0)
        canvas.paint(fallen, WATER, raining)
    for offset, radius in ((-10.0, 6.0), (0.0, 8.5), (10.0, 6.0)):
        canvas.paint(disc(canvas, x + offset, y, radius), GREY)


def _star(canvas: Canvas, scene: Scene, times: torch.Tensor) -> None:
    """A star stands still. With every event it turns, fast at first."""
    turned = sum(_eased(scene, times, begin) for begin in scene.times)
    angle = scene.turn * turned * 2 * math.pi * 3 / 10 + scene.pitch
    canvas.paint(
        polygon(
            canvas, _across(scene), 22.0 + 20.0 * scene.y, 12.0 + 4.0 * scene.size, corners=5, turned=angle, inner=0.45
        ),
        WHITE,
    )


def _siren(canvas: Canvas, scene: Scene, times: torch.Tensor) -> None:
    """A dark lamp on a stand. While the event lasts it glows, red and blue by turns."""
    x, y, radius = _across(scene), 26.0 + 10.0 * scene.y, 7.0 + 2.0 * scene.size
    lit, passed = _active(scene, times)
    red = ((passed / SIREN_TURN).floor().remainder(2) < 1).double()
    canvas.paint(box(canvas, x, y + 18.0, 3.0, 14.0), DARK)
    canvas.paint(box(canvas, x, y + 9.0, 9.0, 2.5), DARK)
    for colour, on in ((RED, red), (BLUE, 1 - red)):
        canvas.paint(disc(canvas, x, y, radius + 7.0, soft=9.0), colour, 0.55 * lit * on)
        canvas.paint(disc(canvas, x, y, radius), colour, lit * on)
    canvas.paint(disc(canvas, x, y, radius), (0.35, 0.20, 0.40), 1 - lit)


def _fire(canvas: Canvas, scene: Scene, times: torch.Tensor) -> None:
    """A small flame over wood. It flares up when the event begins, and flickers while it sinks."""
    x, burning = 20.0 + 24.0 * scene.x, _glow(scene, times, 0.3)
    draw = torch.Generator().manual_seed(scene.noise_seed)
    flicker = torch.rand(len(times), 2, generator=draw, dtype=torch.float64)
    height = 9.0 + 3.0 * scene.size + burning * (20.0 + 2.0 * flicker[:, 0])
    sway = (flicker[:, 1] - 0.5) * 2.0 * burning
    for part, colour in ((1.0, ORANGE), (0.55, YELLOW)):
        width = part * (6.0 + 5.0 * burning)
        canvas.paint(canvas.flame(x + sway, 52.0, width, part * height), colour)
    canvas.paint(box(canvas, x, 54.0, 13.0, 3.0), BROWN)


def _ring(canvas: Canvas, scene: Scene, times: torch.Tensor) -> None:
    """A small ring is wide when the event begins, and shrinks."""
    wide = _glow(scene, times, 0.35)
    canvas.paint(
        ring(canvas, 22.0 + 20.0 * scene.x, 24.0 + 16.0 * scene.y, 5.0 + (11.0 + 4.0 * scene.size) * wide, width=4.5),
        GREEN,
    )


_LOOKS = {
    "ball": _ball,
    "square": _square,
    "triangle": _triangle,
    "rain": _rain,
    "star": _star,
    "siren": _siren,
    "fire": _fire,
    "ring": _ring,
}


def _across(scene: Scene) -> float:
    return _LEFT + (_RIGHT - _LEFT) * scene.x


def _eased(scene: Scene, times: torch.Tensor, begin: float) -> torch.Tensor:
    """The part of a movement that is done, 0..1, fast at first."""
    progress = ((times + _FRAME / 2 - begin) / scene.event.seconds).clamp(0, 1)
    return 1 - (1 - progress) ** 3


def _fading(times: torch.Tensor, begin: float, seconds: float) -> torch.Tensor:
    """0 before an event begins, 1 when it begins, and an exponential decay afterwards."""
    return torch.where(times < begin, 0.0, (-(times - begin).clamp(min=0) / seconds).exp())


def _glow(scene: Scene, times: torch.Tensor, seconds: float) -> torch.Tensor:
    """The largest of the decays of all events. A frame shows the moment in the middle of its time on screen."""
    return torch.stack([_fading(times + _FRAME / 2, begin, seconds) for begin in scene.times]).max(dim=0).values


def _active(scene: Scene, times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Whether an event lasts, 1 or 0, and the seconds since the latest one began."""
    now = times + _FRAME / 2
    passed = torch.stack([torch.where(now >= begin, now - begin, torch.inf) for begin in scene.times]).min(dim=0).values
    return (passed < scene.event.seconds).double(), passed.clamp(max=SECONDS)
