"""Training of the judge, on clips that no generator and no binder is trained on."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from aligner.demo.judge import Judge

from .augment import roughened_frames, roughened_sounds
from .data import clips
from .initialise import initialised
from .loop import Losses, Schedule, train

CLIPS, BATCH, SEED = 2048, 32, 77
SCHEDULE = Schedule(steps=600, rate=2e-3, average=0.99)


def trained_judge(work: Path, device: str = "cpu") -> Judge:
    """Train the judge, or load it from `work`."""
    judge = initialised(Judge, SEED).to(device)
    data = clips("judge", CLIPS, work)
    events = data.events

    def losses(draw: torch.Generator, passed: float) -> Losses:
        rows = torch.randint(len(data), (BATCH,), generator=draw)
        frames = roughened_frames(_some_still(data.pixels(rows), draw), draw).to(device)
        sounds = roughened_sounds(data.sounds(rows), draw).to(device)
        wanted = events[rows].to(device)
        heard, seen = judge.hear(sounds), judge.watch(frames)
        apart = F.cross_entropy(heard.logits, wanted) + F.cross_entropy(seen.logits, wanted)
        return {
            "loss": apart,
            "heard": (heard.events == wanted).float().mean(),
            "seen": (seen.events == wanted).float().mean(),
        }

    train("judge", judge, losses, SCHEDULE, work)
    return judge


def _some_still(frames: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Replace one video in six by one of its frames, repeated, because the judge also classifies pictures."""
    still = torch.rand(len(frames), generator=draw) < 1 / 6
    moment = torch.randint(frames.shape[1], (len(frames),), generator=draw)
    pictures = frames[torch.arange(len(frames)), moment].unsqueeze(1).expand_as(frames)
    return torch.where(still[:, None, None, None, None], pictures, frames)
