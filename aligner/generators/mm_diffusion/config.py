"""Sizes of a coupled U-Net, and what its published checkpoints have."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from fractions import Fraction

from ...errors import AlignerError
from ...files.json_objects import json_object
from ...values.sizes import require_sizes

#: Samples of a sound become fewer by this factor from level to level, and pixels by the other one along each side.
AUDIO_SHRINKS, VIDEO_SHRINKS = 4, 2
#: What a network may predict.
PREDICTIONS = ("noise", "velocity")


@dataclass(frozen=True)
class CoupledUNetConfig:
    """A network for clips of one length and size. The defaults are those of the published checkpoints.

    frames, side: of a video, side in pixels. samples: of its sound. fps, sample_rate: frames and samples a second.
    channels: of the first level. multipliers: of the channels, level by level. res_blocks: in each level.
    windows: by level, how many frames of the other stream a frame looks at; 0: none, and no attention within streams.
    heads: of attention within a stream. head_channels: of each head of attention between streams. norm_groups: of every
    normalization. prediction: "noise", or "velocity" (arXiv 2202.00512), which a small network learns faster.

    Raises AlignerError for sizes that the levels cannot divide.
    """

    frames: int = 16
    side: int = 64
    samples: int = 25_600
    fps: int = 10
    sample_rate: int = 16_000
    channels: int = 128
    multipliers: tuple[int, ...] = (1, 2, 3, 4)
    res_blocks: int = 2
    windows: tuple[int, ...] = (0, 1, 4, 8)
    heads: int = 4
    head_channels: int = 64
    norm_groups: int = 32
    prediction: str = "noise"

    def __post_init__(self):
        if self.prediction not in PREDICTIONS:
            raise AlignerError(f"A network predicts {' or '.join(PREDICTIONS)}, not {self.prediction!r}.")
        require_sizes(self, may_be_zero=("windows",))
        deepest = len(self.multipliers) - 1
        if len(self.windows) != len(self.multipliers):
            raise AlignerError(f"{len(self.multipliers)} levels need as many windows, not {len(self.windows)}.")
        if max(self.windows) > self.frames:
            raise AlignerError(f"A window of {max(self.windows)} frames is longer than a clip of {self.frames}.")
        for name, divisor in (
            ("heads", self.heads),
            ("head_channels", self.head_channels),
            ("norm_groups", self.norm_groups),
        ):
            if odd := [width for width in self.widths if width % divisor]:
                raise AlignerError(f"{odd[0]} channels cannot be divided by {divisor} {name}.")
        if self.side % VIDEO_SHRINKS**deepest:
            raise AlignerError(f"{self.side} pixels cannot be halved {deepest} times.")
        if self.samples % (self.frames * AUDIO_SHRINKS**deepest):
            raise AlignerError(
                f"{self.samples} samples cannot be shared by {self.frames} frames and quartered {deepest} times."
            )
        if Fraction(self.frames, self.fps) != Fraction(self.samples, self.sample_rate):
            raise AlignerError(
                f"{self.frames} frames at {self.fps} a second and {self.samples} samples at {self.sample_rate} Hz are "
                "not equally long."
            )

    @property
    def widths(self) -> list[int]:
        """Channels, level by level."""
        return [multiplier * self.channels for multiplier in self.multipliers]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CoupledUNetConfig:
        """Inverse of `to_json`. Raises AlignerError for anything else."""
        try:
            fields = json_object(text)
            lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
            return cls(**(fields | lists))
        except (TypeError, ValueError) as error:
            raise AlignerError(f"This does not describe a coupled U-Net: {text[:200]}") from error

    @property
    def seconds(self) -> Fraction:
        """Length of a clip."""
        return Fraction(self.frames, self.fps)


#: Landscape.pt and AIST++.pt alike.
PUBLISHED = CoupledUNetConfig()
