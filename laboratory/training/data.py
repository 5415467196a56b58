"""Clips of a split as tensors, drawn once and kept in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from aligner.demo.events import EVENTS

from ..world import Scene, clip, plain, scene
from .keeping import Tensors, kept


@dataclass(frozen=True)
class Clips:
    """Clips of a split.

    frames: (N, 16, 3, 64, 64) uint8. waveforms: (N, 32000) int16. scenes: N descriptions.
    """

    frames: torch.Tensor
    waveforms: torch.Tensor
    scenes: list[Scene]

    def __len__(self) -> int:
        return len(self.scenes)

    @property
    def events(self) -> torch.Tensor:
        """The number of each clip's event, (N,) int64."""
        return torch.tensor([EVENTS.index(each.event) for each in self.scenes])

    def pixels(self, rows: torch.Tensor) -> torch.Tensor:
        """The frames of some rows, (len(rows), 16, 3, 64, 64) float32 in 0..1."""
        return self.frames[rows].float() / 255

    def sounds(self, rows: torch.Tensor) -> torch.Tensor:
        """The sounds of some rows, (len(rows), 32000) float32 in -1..1."""
        return self.waveforms[rows].float() / 32767

    def happening(self, rows: torch.Tensor, starts: torch.Tensor, seconds: float) -> torch.Tensor:
        """Whether at least 0.1 s of an event lies within `seconds` from each start, (len(rows),) bool."""
        return torch.tensor(
            [
                any(
                    min(begin + each.event.seconds, start + seconds) - max(begin, start) >= 0.1 - 1e-6
                    for begin in each.times
                )
                for each, start in zip([self.scenes[row] for row in rows.tolist()], starts.tolist())
            ]
        )


def clips(split: str, count: int, work: Path, *, in_plain_scenes: bool = False) -> Clips:
    """The first `count` clips of a split. work: folder of the file that keeps them. in_plain_scenes: see `plain`."""
    scenes = [scene(split, index) for index in range(count)]
    if in_plain_scenes:
        scenes = [plain(each) for each in scenes]

    def drawn(rows: torch.Tensor) -> Tensors:
        made = [clip(scenes[row]) for row in rows.tolist()]
        return {
            "frames": torch.stack([(each.frames * 255).round().to(torch.uint8) for each in made]),
            "waveforms": torch.stack([(each.waveform * 32767).round().to(torch.int16) for each in made]),
        }

    name = "plain-clips" if in_plain_scenes else "clips"
    return Clips(**kept(work / f"{name}-{split}-{count}.pt", count, drawn), scenes=scenes)
