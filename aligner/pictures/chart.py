"""The alignment curve: a line chart over denoising steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle

from PIL import Image, ImageDraw, ImageFont

from ..errors import AlignerError
from .palette import GRID, INK, LINE_COLOURS, PAPER
from .ticks import labels, round_numbers

Point = tuple[float, float]
Series = Sequence[float | Point]

# Antialiasing: lines are drawn larger by this factor and scaled down.
SMOOTHING = 3
SMALLEST = (320, 200)  # pixels


def alignment_curve(
    series: Mapping[str, Series],
    marks: Mapping[str, Sequence[Point]] | None = None,
    *,
    title: str = "Alignment while sampling",
    y_label: str = "cosine similarity",
    width: int = 960,
    height: int = 540,
) -> Image.Image:
    """Draw a line chart over denoising steps as an RGB picture. Without data the axes are empty.

    Args:
        series: {name in the legend: values at steps 0, 1, 2, ..., or points (step, value)}. A value that is not
            finite interrupts the line.
        marks: {name of a series: points (step, value)}, drawn as dots in the colour of the series.
        width, height: in pixels, at least 320 x 200; the font size scales with them.

    Raises:
        AlignerError: the picture is smaller than 320 x 200.

    Example:
        alignment_curve({"audio-video": [0.1, 0.15, 0.22]}).save("alignment.png")
    """
    lines, marks = {name: _points(values) for name, values in series.items()}, marks or {}
    if width < SMALLEST[0] or height < SMALLEST[1]:
        raise AlignerError(
            f"a chart needs at least {SMALLEST[0]} x {SMALLEST[1]} pixels, but {width} x {height} were requested."
        )
    return _Chart(lines, marks, width, height).drawn(title, y_label)


class _Chart:
    """The layout of a chart: the plot area, the ticks, and the mapping of values to pixels."""

    def __init__(
        self, lines: Mapping[str, list[Point]], marks: Mapping[str, Sequence[Point]], width: int, height: int
    ) -> None:
        self.lines, self.marks, self.width, self.height = lines, marks, width, height
        # All distances are multiples of the font size.
        self.unit = max(10, round(min(width / 60, height / 30)))
        self.text = ImageFont.load_default(self.unit)
        self.heading = ImageFont.load_default(round(1.4 * self.unit))

        points = [
            point for line in (*lines.values(), *marks.values()) for stretch in _unbroken(line) for point in stretch
        ]
        steps, values = zip(*points or [(0.0, 0.0), (1.0, 1.0)])
        self.x_low, self.x_high = min(steps), max(max(steps), min(steps) + 1)
        self.y_ticks = round_numbers(min(values), max(values), 5)
        whole_numbers = round_numbers(self.x_low, self.x_high, 8, finest=1)
        self.x_ticks = [tick for tick in whole_numbers if self.x_low <= tick <= self.x_high]
        margin = 0.04 * (max(values) - min(values))
        self.y_low = min(min(values) - margin, self.y_ticks[0])
        self.y_high = max(max(values) + margin, self.y_ticks[-1])

        lettering = max(self.text.getlength(label) for label in labels(self.y_ticks))
        self.left, self.right = round(lettering + 3.4 * self.unit), width - 2 * self.unit
        self.top, self.bottom = 5 * self.unit, round(height - 3.8 * self.unit)

    def x(self, step: float) -> float:
        return self.left + (step - self.x_low) / (self.x_high - self.x_low) * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.bottom - (value - self.y_low) / (self.y_high - self.y_low) * (self.bottom - self.top)

    def drawn(self, title: str, y_label: str) -> Image.Image:
        """The whole chart: antialiased lines first, then the text at its final size."""
        picture = self._drawn_lines()
        canvas, unit = ImageDraw.Draw(picture), self.unit
        canvas.text((self.left, unit), title, INK, self.heading, "la")
        self._write_legend(canvas)
        for tick, label in zip(self.x_ticks, labels(self.x_ticks)):
            canvas.text((self.x(tick), self.bottom + 0.6 * unit), label, INK, self.text, "ma")
        for tick, label in zip(self.y_ticks, labels(self.y_ticks)):
            canvas.text((self.left - 0.7 * unit, self.y(tick)), label, INK, self.text, "rm")
        middle = (self.left + self.right) / 2
        canvas.text((middle, self.height - 0.9 * unit), "denoising step", INK, self.text, "ms")
        self._write_upwards(picture, y_label)
        return picture

    def _drawn_lines(self) -> Image.Image:
        large = Image.new("RGB", (self.width * SMOOTHING, self.height * SMOOTHING), PAPER)
        canvas = ImageDraw.Draw(large)
        for tick in self.y_ticks:
            _line(canvas, [(self.left, self.y(tick)), (self.right, self.y(tick))], GRID, 1)
        for tick in self.x_ticks:
            _line(canvas, [(self.x(tick), self.top), (self.x(tick), self.bottom)], GRID, 1)
        _line(canvas, [(self.left, self.bottom), (self.right, self.bottom)], INK, 1)
        for colour, (name, points) in zip(cycle(LINE_COLOURS), self.lines.items()):
            for mark in self.marks.get(name, ()):
                _dot(canvas, (self.x(mark[0]), self.y(mark[1])), colour, self.unit / 6)
            for stretch in _unbroken(points):
                places = [(self.x(step), self.y(value)) for step, value in stretch]
                _line(canvas, places, colour, self.unit / 6)
                _dot(canvas, places[-1], colour, self.unit / 4)
        return large.resize((self.width, self.height), Image.Resampling.LANCZOS)

    def _write_legend(self, canvas: ImageDraw.ImageDraw) -> None:
        """Write the names of the series in a row below the title, each beside a stroke of its colour."""
        x, y, unit = float(self.left), 3.7 * self.unit, self.unit
        for colour, name in zip(cycle(LINE_COLOURS), self.lines):
            canvas.rectangle([x, y - unit / 8, x + 1.5 * unit, y + unit / 8], colour)
            canvas.text((x + 2 * unit, y), name, INK, self.text, "lm")
            x += self.text.getlength(name) + 3.8 * unit

    def _write_upwards(self, picture: Image.Image, words: str) -> None:
        """Write text along the left edge, rotated by 90 degrees."""
        strip = Image.new("L", (self.bottom - self.top, 2 * self.unit))
        ImageDraw.Draw(strip).text((strip.width / 2, self.unit), words, 255, self.text, "mm")
        strip = strip.transpose(Image.Transpose.ROTATE_90)
        picture.paste(INK, (round(0.4 * self.unit), self.top), strip)


def _line(canvas: ImageDraw.ImageDraw, places: list[Point], colour: str, thickness: float) -> None:
    scaled = [(x * SMOOTHING, y * SMOOTHING) for x, y in places]
    canvas.line(scaled, colour, round(thickness * SMOOTHING), joint="curve")


def _dot(canvas: ImageDraw.ImageDraw, place: Point, colour: str, radius: float) -> None:
    x, y = place
    canvas.ellipse([side * SMOOTHING for side in (x - radius, y - radius, x + radius, y + radius)], colour)


def _points(values: Series) -> list[Point]:
    """Convert a series to points (step, value). Plain values are at steps 0, 1, 2, ..."""
    return [
        (float(value[0]), float(value[1])) if isinstance(value, Sequence) else (float(step), float(value))
        for step, value in enumerate(values)
    ]


def _unbroken(points: Sequence[Point]) -> list[list[Point]]:
    """Split a line at its non-finite values; returns the stretches between them."""
    stretches: list[list[Point]] = [[]]
    for step, value in points:
        if math.isfinite(value):
            stretches[-1].append((step, value))
        elif stretches[-1]:
            stretches.append([])
    return [stretch for stretch in stretches if stretch]
