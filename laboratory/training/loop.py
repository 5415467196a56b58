"""Training that can be stopped at any moment and resumes from its last saved state."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from aligner.files.atomic import written_whole

#: Scalar losses by name. "loss" is minimised, and the others are logged.
Losses = dict[str, torch.Tensor]

_SAVE_EVERY_SECONDS = 120
_LOG_EVERY = 50


@dataclass(frozen=True)
class Schedule:
    """The schedule of a training.

    steps: updates. rate: the highest learning rate. It rises over `warm_up` steps and falls to 0 as a cosine. average:
    the decay of the exponential moving average of the weights, which becomes the result; 0 keeps the last weights.
    """

    steps: int
    rate: float
    warm_up: int = 100
    average: float = 0.0
    weight_decay: float = 0.01


def train(
    name: str,
    model: nn.Module,
    losses: Callable[[torch.Generator, float], Losses],
    schedule: Schedule,
    work: Path,
    *,
    bf16: bool = False,
) -> None:
    """Train `model` in place, or load the result of an earlier training. It ends frozen and in eval mode.

    losses: called with a generator, which is seeded by the number of the step, and the part of the training that has
    passed (0..1). work: folder of states (`name.state.pt`), results (`name.pt`) and logs (`name.jsonl`). bf16: multiply
    in bfloat16.
    """
    done = work / f"{name}.pt"
    if done.exists():
        model.load_state_dict(torch.load(done, map_location=_device(model), weights_only=True))
        model.eval().requires_grad_(False)
        return
    work.mkdir(parents=True, exist_ok=True)
    _Training(name, model, losses, schedule, work, bf16).finish()
    _save(model.state_dict(), done)
    (work / f"{name}.state.pt").unlink(missing_ok=True)


class _Training:
    """A training in progress: weights, optimiser, moving average and log."""

    def __init__(
        self,
        name: str,
        model: nn.Module,
        losses: Callable[[torch.Generator, float], Losses],
        schedule: Schedule,
        work: Path,
        bf16: bool,
    ):
        self.name, self.model, self.losses, self.schedule, self.bf16 = name, model, losses, schedule, bf16
        self.state, self.log = work / f"{name}.state.pt", work / f"{name}.jsonl"
        model.train()
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=schedule.rate, betas=(0.9, 0.99), weight_decay=schedule.weight_decay
        )
        self.averages = [parameter.detach().clone() for parameter in self.parameters]
        self.step, self.seconds = 0, 0.0
        if self.state.exists():
            self._resume()

    def finish(self) -> None:
        """Take all remaining steps. The model then holds the average of the weights."""
        saved, sums = time.monotonic(), {}
        progress = tqdm(
            range(self.step, self.schedule.steps),
            initial=self.step,
            total=self.schedule.steps,
            desc=self.name,
            mininterval=10,
        )
        for self.step in progress:
            began = time.monotonic()
            for key, value in self._update().items():
                sums[key] = sums.get(key, 0.0) + value
            self.seconds += time.monotonic() - began
            if (self.step + 1) % _LOG_EVERY == 0:
                progress.set_postfix(self._logged(sums))
                sums = {}
                # States are saved at lines of the log only, so that a resumed training begins with a whole line.
                if time.monotonic() - saved > _SAVE_EVERY_SECONDS:
                    self._save_state()
                    saved = time.monotonic()
        with torch.no_grad():
            for parameter, average in zip(self.parameters, self.averages):
                parameter.copy_(average)
        self.model.eval().requires_grad_(False)

    def _update(self) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        draw = torch.Generator().manual_seed(self.step)
        with torch.autocast(_device(self.model).type, torch.bfloat16, enabled=self.bf16):
            losses = self.losses(draw, self.step / self.schedule.steps)
        losses["loss"].backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        # A short average at first, so that it forgets the initial weights.
        keep = min(self.schedule.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for average, parameter in zip(self.averages, self.parameters):
                average.lerp_(parameter, 1 - keep)
        return {key: value.item() for key, value in losses.items()}

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / self.schedule.warm_up)
        return self.schedule.rate * warm * 0.5 * (1 + math.cos(math.pi * self.step / self.schedule.steps))

    def _logged(self, sums: dict[str, float]) -> dict[str, str]:
        means = {key: total / _LOG_EVERY for key, total in sums.items()}
        with self.log.open("a", encoding="utf-8") as log:
            log.write(
                json.dumps(
                    {
                        "step": self.step + 1,
                        "seconds": round(self.seconds, 1),
                        **{key: round(value, 5) for key, value in means.items()},
                    }
                )
                + "\n"
            )
        return {key: f"{value:.4f}" for key, value in means.items()}

    def _save_state(self) -> None:
        _save(
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "averages": self.averages,
                "step": self.step + 1,
                "seconds": self.seconds,
            },
            self.state,
        )

    def _resume(self) -> None:
        state = torch.load(self.state, map_location=_device(self.model), weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.averages, self.step, self.seconds = state["averages"], state["step"], state["seconds"]
        self._forget_later_lines()

    def _forget_later_lines(self) -> None:
        """Remove the lines of steps after the state from the log, because these steps are taken again."""
        lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True) if self.log.exists() else []
        with written_whole(self.log) as partial:
            partial.write_bytes(
                "".join(line for line in lines if json.loads(line)["step"] <= self.step).encode("utf-8")
            )


def _save(state: dict, path: Path) -> None:
    with written_whole(path) as partial:
        torch.save(state, partial)


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
