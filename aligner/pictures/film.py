"""Pictures that are shown one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from .stack import stacked


@dataclass(frozen=True)
class Film:
    """Pictures of one size, at least one, shown at `fps` pictures per second and then again. A still has one."""

    pictures: Sequence[Image.Image]
    fps: float = 1.0

    def drawn(self, draw: Callable[[Image.Image], Image.Image]) -> Film:
        """The same film, each picture drawn anew."""
        return replace(self, pictures=[draw(picture) for picture in self.pictures])


def stacked_films(films: Iterable[Film]) -> Film | None:
    """Films one above the other, at the rate of the longest. Others are shown in step with it. None without films."""
    films = list(films)
    if not films:
        return None
    longest = max(films, key=lambda film: len(film.pictures))
    count = len(longest.pictures)
    rows = ([film.pictures[k * len(film.pictures) // count] for film in films] for k in range(count))
    return Film([stacked(row) for row in rows], longest.fps)
