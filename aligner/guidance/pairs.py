"""The paper's tasks as data: what is generated, what is given, and which pairs follow from that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch

from ..binders.base import Embedding
from ..conditions.condition import Condition
from ..conditions.timeline import Timeline
from ..errors import AlignerError
from ..timing.intervals import Part


@dataclass(frozen=True)
class Pair:
    """One term of the loss, weight * F(stream, target).

    The target is a condition where `given`, else another generated stream. Names alone would not tell: sound may be
    generated to fit a given sound. timeline: when the pair counts; None: always.
    """

    stream: str
    target: str
    weight: float = 1.0
    given: bool = True
    timeline: Timeline | None = None

    @property
    def label(self) -> str:
        return f"{self.stream} ~ {self.target}" if self.given else f"{self.stream} ~ generated {self.target}"

    @property
    def streams(self) -> set[str]:
        """The generated streams that it looks at."""
        return {self.stream} if self.given else {self.stream, self.target}

    def strengths(self, generated: Embedding, within: Part | None = None) -> torch.Tensor | None:
        """How much each clip of the generated stream counts, (S,), in a part of the result; None: all alike."""
        if generated.spans is None or self.timeline is None and within is None:
            return None
        strengths = self.strengths_over(generated.spans)
        if within:
            strengths *= torch.tensor([within.share(span) for span in generated.spans])
        return strengths.to(generated.clips.device)

    def strengths_over(self, spans: Sequence[tuple[float, float]]) -> torch.Tensor:
        """How much clips of the generated stream count in the whole result, (S,), on the CPU.

        Raises AlignerError if none of them does: the clips of ImageBind's own sampling leave gaps in a long result.
        """
        strengths = self.timeline.strengths(spans) if self.timeline else torch.ones(len(spans))
        if not strengths.any():
            raise AlignerError(
                f"The condition {self.target!r} steers {self.timeline.target}, but its strength is 0 on "
                f"all clips of the {self.stream} that are looked at. Choose clips short or released, "
                "which leave no gaps, or widen the part that it steers."
            )
        return strengths

    def weight_at(self, progress: float | None) -> float:
        """The weight when a part of denoising has passed; None: of the finished result, where no schedule counts."""
        scheduled = self.timeline is not None and progress is not None
        return self.weight * self.timeline.schedule.at(progress) if scheduled else self.weight


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
    given = [
        Pair(stream, name, condition.weight, timeline=condition.timeline)
        for stream in streams
        for name, condition in conditions.items()
        if condition.steers(stream)
    ]
    if not generated + given:
        raise AlignerError(
            "Guidance has nothing to follow: "
            + (
                "every condition has weight 0. Give at least one another weight."
                if conditions
                else "no condition is connected. Add one, or turn guidance off."
            )
        )
    return generated + given


def _require_known(streams: tuple[str, ...], conditions: Mapping[str, Condition]) -> None:
    for name, condition in conditions.items():
        unknown = set(condition.streams or ()) - set(streams)
        if unknown:
            raise AlignerError(
                f"The condition {name!r} steers {' and '.join(sorted(unknown))}, but "
                f"{' and '.join(streams)} is generated here."
            )
