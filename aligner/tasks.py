"""The paper's tasks as data: what is generated, what is given, and which pairs follow from that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from .conditions import Condition
from .errors import AlignerError
from .objective import Pair


@dataclass(frozen=True)
class Task:
    """What is generated, from what, in how many denoising steps (section 4.1 of the paper)."""

    generates: tuple[str, ...]
    given: tuple[str, ...]
    steps: int


VIDEO_TO_AUDIO = Task(generates=("audio",), given=("video", "text"), steps=30)
IMAGE_TO_AUDIO = Task(generates=("audio",), given=("image", "text"), steps=30)


def pairs(streams: Iterable[str], conditions: Mapping[str, Condition]) -> list[Pair]:
    """Every generated stream with every other generated stream and with every condition.

    This one rule yields all of the paper's losses: (a,v), (a,p) for video- and image-to-audio (eq. 15), (v,a), (v,p)
    for audio-to-video (eq. 14), the triangle for joint generation (eq. 16), (v,a) for a joint generator without text.

    Raises AlignerError when nothing is left to steer by.
    """
    streams = tuple(streams)
    between = [Pair(x, y, given=False) for x, y in combinations(streams, 2)]
    given = [Pair(stream, name, condition.weight)
             for stream in streams for name, condition in conditions.items() if condition.weight]
    if not between + given:
        raise AlignerError("Guidance has nothing to follow: " + (
            "every condition has weight 0. Give at least one another weight."
            if conditions else "no condition is connected. Add one, or turn guidance off."))
    return between + given
