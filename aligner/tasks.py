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
# A picture is a video of one frame.
AUDIO_TO_VIDEO = Task(generates=("video",), given=("audio", "text"), steps=25)
JOINT = Task(generates=("video", "audio"), given=("text",), steps=25)


def pairs(streams: Iterable[str], conditions: Mapping[str, Condition], *, between: float = 1.0) -> list[Pair]:
    """Every generated stream with every other generated stream and with every condition that steers it.

    This one rule yields all of the paper's losses: (a,v), (a,p) for video- and image-to-audio (eq. 15), (v,a), (v,p)
    for audio-to-video (eq. 14), the triangle for joint generation (eq. 16), (v,a) for a joint generator without text.
    between: the weight of pairs of generated streams.

    Raises AlignerError when nothing is left to steer by.
    """
    streams = tuple(streams)
    _require_known(streams, conditions)
    generated = [Pair(x, y, between, given=False) for x, y in combinations(streams, 2) if between]
    given = [Pair(stream, name, condition.weight, timeline=condition.timeline)
             for stream in streams for name, condition in conditions.items() if condition.steers(stream)]
    if not generated + given:
        raise AlignerError("Guidance has nothing to follow: " + (
            "every condition has weight 0. Give at least one another weight."
            if conditions else "no condition is connected. Add one, or turn guidance off."))
    return generated + given


def _require_known(streams: tuple[str, ...], conditions: Mapping[str, Condition]) -> None:
    for name, condition in conditions.items():
        unknown = set(condition.streams or ()) - set(streams)
        if unknown:
            raise AlignerError(f"The condition {name!r} steers {' and '.join(sorted(unknown))}, but "
                               f"{' and '.join(streams)} is generated here.")
