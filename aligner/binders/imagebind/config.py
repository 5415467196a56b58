"""How large the three towers are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ...errors import AlignerError
from ...files.json_objects import json_object


@dataclass(frozen=True)
class TowerConfig:
    """A transformer of `blocks` blocks that are `width` wide and attend with `heads` heads.

    Raises AlignerError if a number is not positive or the width does not divide into the heads.
    """

    width: int
    blocks: int
    heads: int

    def __post_init__(self):
        for name, value in asdict(self).items():
            _require_positive(name, value)
        if self.width % self.heads:
            raise AlignerError(f"A width of {self.width} does not divide into {self.heads} attention heads.")


@dataclass(frozen=True)
class ImageBindConfig:
    """The three towers and the width `embed_dim` of the space that they share."""

    vision: TowerConfig
    text: TowerConfig
    audio: TowerConfig
    embed_dim: int

    def __post_init__(self):
        _require_positive("embed_dim", self.embed_dim)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ImageBindConfig:
        """Inverse of `to_json`. Raises AlignerError for anything else."""
        try:
            fields = json_object(text)
            for name in ("vision", "text", "audio"):
                fields[name] = TowerConfig(**fields[name])
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise AlignerError(f"This does not describe ImageBind's towers: {text[:200]}") from error


def _require_positive(name: str, value: int) -> None:
    if type(value) is not int or value < 1:
        raise AlignerError(f"ImageBind's {name} must be a whole number above 0, not {value!r}.")


#: The published model, `imagebind_huge.pth`.
HUGE = ImageBindConfig(
    vision=TowerConfig(width=1280, blocks=32, heads=16),
    text=TowerConfig(width=1024, blocks=24, heads=16),
    audio=TowerConfig(width=768, blocks=12, heads=12),
    embed_dim=1024,
)
