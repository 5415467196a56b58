"""Scenes: the event of a clip, its times, place, pitch and background, drawn at random from a split and a number."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from aligner.demo.events import EVENTS, Event
from aligner.demo.shape import SECONDS
from aligner.errors import AlignerError

#: Models are trained on "train". Choices are made on "development", and results are reported on "test". The judge and
#: the second binder are trained on clips of their own, "judge" and "second".
SPLITS = ("train", "development", "test", "judge", "second")

#: All events begin on a grid of 10 ms, one frame of the spectrograms.
TICKS_PER_SECOND = 100
#: Seconds of each tone and colour of a siren.
SIREN_TURN = 0.25
#: In ticks: the earliest beginning, the time after the last event, and the least time between two events.
_FIRST_TICK, _LAST_MARGIN, _REST = 12, 12, 20
#: The share of clips with two events.
_TWO_EVENTS = 0.35


@dataclass(frozen=True)
class Scene:
    """The description of a clip, from which it is drawn and played.

    times: seconds at which the event begins, ascending, on the grid of 10 ms. x, y: its place within the range of the
    event, 0..1. size: 0..1, small to large. pitch: 0..1, low to high. turn: -1 or 1, the direction of movements. top,
    bottom: colours of the background, RGB in 0..1. loudness: the peak of the sound, 0..1. noise_seed: the seed of all
    noise in the clip.
    """

    event: Event
    times: tuple[float, ...]
    x: float
    y: float
    size: float
    pitch: float
    turn: int
    top: tuple[float, float, float]
    bottom: tuple[float, float, float]
    loudness: float
    noise_seed: int


def scene(split: str, index: int) -> Scene:
    """The scene of clip number `index` of a split. Events take turns.

    The same arguments give the same scene. No two splits share one. Raises AlignerError for an unknown split or a
    number below 0.
    """
    return scene_of(EVENTS[index % len(EVENTS)], split, index)


def scene_of(event: Event, split: str, index: int) -> Scene:
    """The scene of clip number `index` of a split, with another event."""
    if split not in SPLITS:
        raise AlignerError(f"Unknown split {split!r}. Choose one of: {', '.join(SPLITS)}.")
    if index < 0:
        raise AlignerError(f"Clips are numbered from 0; there is no clip {index}.")
    draw = torch.Generator().manual_seed(index * len(SPLITS) + SPLITS.index(split))
    numbers = torch.rand(16, generator=draw, dtype=torch.float64).tolist()
    base = 0.10 + 0.22 * numbers[0]
    top, bottom = (
        tuple(base + spread * number for number in numbers[start : start + 3])
        for spread, start in ((0.10, 1), (0.20, 4))
    )
    return Scene(
        event,
        _times(event, *numbers[7:10]),
        x=numbers[10],
        y=numbers[11],
        size=numbers[12],
        pitch=numbers[13],
        turn=1 if numbers[14] < 0.5 else -1,
        top=top,
        bottom=bottom,
        loudness=0.6 + 0.3 * numbers[15],
        noise_seed=int(torch.randint(2**31, (1,), generator=draw)),
    )


def plain(given: Scene) -> Scene:
    """The same event at the same times before the same background; all else is as in any other plain scene."""
    return replace(given, x=0.5, y=0.5, size=0.5, pitch=0.5, turn=1, loudness=0.8, noise_seed=0)


def _times(event: Event, share: float, first: float, second: float) -> tuple[float, ...]:
    """One or two beginnings, so that events neither overlap nor are cut off. The arguments are uniform in 0..1."""
    lasts = round(event.seconds * TICKS_PER_SECOND)
    latest = round(SECONDS * TICKS_PER_SECOND) - _LAST_MARGIN - lasts
    if share >= _TWO_EVENTS:
        return (_between(_FIRST_TICK, latest, first),)
    begin = _between(_FIRST_TICK, latest - lasts - _REST, first)
    return begin, _between(round(begin * TICKS_PER_SECOND) + lasts + _REST, latest, second)


def _between(low: int, high: int, number: float) -> float:
    """The tick from low to high that a number in 0..1 selects, in seconds."""
    return (low + int(number * (high - low + 1))) / TICKS_PER_SECOND
