"""Soft-edged shapes on a stack of frames.

Lengths and positions are in units, UNITS to a side, whatever the number of pixels. A number may differ by frame, (F,).
"""

from __future__ import annotations

import math

import torch

#: One value for all frames, or (F,), one for each.
Number = float | torch.Tensor

#: Units along a side.
UNITS = 64


class Canvas:
    """Frames (F, 3, side, side) float64 to paint shapes on. They begin as a vertical blend of two colours."""

    def __init__(self, frames: int, side: int, top: tuple[float, float, float], bottom: tuple[float, float, float]):
        centers = (torch.arange(side, dtype=torch.float64) + 0.5) * UNITS / side
        self.y, self.x = (grid[None] for grid in torch.meshgrid(centers, centers, indexing="ij"))
        down = self.y / UNITS
        self.pixels = (_colour(top) * (1 - down) + _colour(bottom) * down).repeat(frames, 1, 1, 1)

    def paint(self, cover: torch.Tensor, colour: tuple[float, float, float], strength: Number = 1.0) -> None:
        """Blend a colour into the frames. cover: (F or 1, side, side) in 0..1. strength: its factor, in 0..1."""
        weight = (cover * _by_frame(strength))[:, None]
        self.pixels = self.pixels * (1 - weight) + _colour(colour) * weight

    def flame(self, x: Number, foot: float, width: Number, height: Number) -> torch.Tensor:
        """The cover of a drop that stands on `foot`, wide at the foot and pointed at the top."""
        up = (foot - self.y) / _by_frame(height)
        half = _by_frame(width) * (1 - up).clamp(0, 1).sqrt() * (0.55 + 0.45 * (1 - up).clamp(0, 1))
        inside = (up > 0) & (up < 1)
        return torch.where(inside, _soft((self.x - _by_frame(x)).abs() - half), torch.zeros((), dtype=torch.float64))


def disc(canvas: Canvas, x: Number, y: Number, radius: Number, soft: float = 1.0) -> torch.Tensor:
    """The cover of a disc. soft: width of its edge."""
    away = torch.hypot(canvas.x - _by_frame(x), canvas.y - _by_frame(y))
    return _soft((away - _by_frame(radius)) / soft)


def ring(canvas: Canvas, x: Number, y: Number, radius: Number, width: float) -> torch.Tensor:
    """The cover of a ring. radius: of the middle of its line. width: of its line."""
    away = torch.hypot(canvas.x - _by_frame(x), canvas.y - _by_frame(y))
    return _soft((away - _by_frame(radius)).abs() - width / 2)


def box(canvas: Canvas, x: Number, y: Number, half_width: Number, half_height: Number) -> torch.Tensor:
    """The cover of a rectangle with its middle at (x, y)."""
    across = (canvas.x - _by_frame(x)).abs() - _by_frame(half_width)
    along = (canvas.y - _by_frame(y)).abs() - _by_frame(half_height)
    return _soft(across) * _soft(along)


def capsule(canvas: Canvas, x: Number, y: Number, length: float, radius: float) -> torch.Tensor:
    """The cover of an upright line with round ends and its middle at (x, y)."""
    along = ((canvas.y - _by_frame(y)).abs() - length / 2).clamp(min=0)
    return _soft(torch.hypot(canvas.x - _by_frame(x), along) - radius)


def polygon(
    canvas: Canvas, x: Number, y: Number, radius: float, corners: int, turned: Number = 0.0, inner: float | None = None
) -> torch.Tensor:
    """The cover of a regular polygon, or of a star.

    inner: the distance of a star's inner corners from the middle, in radii; None: a polygon. turned: in radians.
    """
    across, along = canvas.x - _by_frame(x), canvas.y - _by_frame(y)
    angle = torch.atan2(across, -along) - _by_frame(turned)
    sector = math.pi / corners
    # The sector of every corner is turned to the top.
    folded = torch.remainder(angle + sector, 2 * sector) - sector
    away = torch.hypot(across, along)
    right, up = away * folded.abs().sin(), away * folded.cos()
    inner_radius = radius * (math.cos(sector) if inner is None else inner)
    tip, notch = (0.0, radius), (inner_radius * math.sin(sector), inner_radius * math.cos(sector))
    edge_right, edge_up = notch[0] - tip[0], notch[1] - tip[1]
    length = math.hypot(edge_right, edge_up)
    beyond = ((right - tip[0]) * -edge_up + (up - tip[1]) * edge_right) / length
    return _soft(beyond)


def _colour(rgb: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(rgb, dtype=torch.float64)[:, None, None]


def _soft(outside: torch.Tensor) -> torch.Tensor:
    """Distance outside of an edge -> cover in 0..1. Edges are one unit wide."""
    return (0.5 - outside).clamp(0, 1)


def _by_frame(value: Number) -> Number:
    return value[:, None, None] if isinstance(value, torch.Tensor) and value.ndim else value
