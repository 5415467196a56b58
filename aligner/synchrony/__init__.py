"""Synchrony: whether what is heard begins when what is seen begins.

An onset curve tells how much begins at each moment, of a sound by its level and of a video by its motion. Two curves
that rise together are in sync. Both are differentiable and need no weights. Where nothing begins, as in steady rain
or a still picture, a curve is 0 and nothing is claimed.

AV-Align and onset detection in `aligner.metrics` are judges that share no code with this room.
"""

from .heard import heard_in_a_circle, heard_in_parts, heard_onsets
from .score import has_onsets, synchrony
from .seen import SIDE, differences, onsets_of_differences, reduced, seen_onsets
from .ticks import TICKS_PER_SECOND

__all__ = [
    "SIDE",
    "TICKS_PER_SECOND",
    "differences",
    "has_onsets",
    "heard_in_a_circle",
    "heard_in_parts",
    "heard_onsets",
    "onsets_of_differences",
    "reduced",
    "seen_onsets",
    "synchrony",
]
