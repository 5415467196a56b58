"""Sizes of a super-resolution U-Net, and what its published checkpoints have."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ...errors import AlignerError
from ...files.json_objects import json_object
from ...values.sizes import require_sizes


@dataclass(frozen=True)
class SuperResolutionConfig:
    """A network of guided-diffusion (arXiv 2105.05233). The defaults are those of MM-Diffusion's checkpoints.

    channels: of the first level. multipliers: of the channels, level by level; each level halves the sides. res_blocks:
    in each level. attended: levels with attention, the first is 0. heads: of attention. norm_groups: of every
    normalization. scale: how many times larger the sides of its pictures are than those of what it is given.

    Raises AlignerError for sizes that cannot be divided so.
    """

    channels: int = 192
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    res_blocks: int = 2
    attended: tuple[int, ...] = (3, 4, 5)
    heads: int = 4
    norm_groups: int = 32
    scale: int = 4

    def __post_init__(self):
        require_sizes(self, may_be_zero=("attended",))
        for multiplier in self.multipliers:
            for name, divisor in (("heads", self.heads), ("norm_groups", self.norm_groups)):
                if multiplier * self.channels % divisor:
                    raise AlignerError(f"{multiplier * self.channels} channels cannot be divided by {divisor} {name}.")

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> SuperResolutionConfig:
        """Inverse of `to_json`. Raises AlignerError for anything else."""
        try:
            fields = json_object(text)
            lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
            return cls(**(fields | lists))
        except (TypeError, ValueError) as error:
            raise AlignerError(f"This does not describe a super-resolution U-Net: {text[:200]}") from error


#: Landscape_SR.pt and AIST++_SR.pt alike.
PUBLISHED = SuperResolutionConfig()
