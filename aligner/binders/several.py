"""Several binders at once: each compares what it can, and what it says has a weight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from ..errors import AlignerError
from .base import Binder

#: The streams of known kinds, which are modalities of these names.
_STREAMS = ("audio", "video")


@dataclass(frozen=True)
class Member:
    """A binder among those of a run.

    weight: multiplies everything that it compares. name: what tells it from the others in reports; "" where it is
    alone.
    """

    binder: Binder
    weight: float = 1.0
    name: str = ""

    def embeds(self, stream: str) -> bool:
        """Whether it embeds a stream. One of an unknown kind shows what it is when it is embedded."""
        return stream in self.binder.parts or stream not in _STREAMS


class Several:
    """Binders whose terms are summed, each with its weight: PE-AV for a clip, and CLAP for words about its sound.

    Each compares the conditions that it made itself. identity: their names for messages. Raises AlignerError for none,
    for weights that are not finite and above 0, and for a binder that is named twice.
    """

    def __init__(self, weights: Mapping[Binder, float]):
        if not weights:
            raise AlignerError("There must be at least one binder to combine.")
        for binder, weight in weights.items():
            if not (math.isfinite(weight) and weight > 0):
                raise AlignerError(f"The weight of {binder.identity} must be a number above 0, not {weight}.")
        if len({binder.fingerprint for binder in weights}) < len(weights):
            raise AlignerError("The same binder was combined with itself. Choose another one, or leave one out.")
        self.identity = " and ".join(binder.identity for binder in weights)
        names = _names([binder.identity for binder in weights]) if len(weights) > 1 else [""]
        self.members = tuple(
            Member(binder, float(weight), name) for name, (binder, weight) in zip(names, weights.items())
        )


def members_of(binder: Binder | Several | None) -> tuple[Member, ...]:
    """The binders of a run; one alone has the weight 1."""
    if binder is None:
        return ()
    return binder.members if isinstance(binder, Several) else (Member(binder),)


def _names(identities: list[str]) -> list[str]:
    """Identities, numbered where one repeats: ImageBind, ImageBind 2."""
    names: list[str] = []
    for identity in identities:
        candidates = (identity if number == 1 else f"{identity} {number}" for number in count(1))
        names.append(next(name for name in candidates if name not in names))
    return names
