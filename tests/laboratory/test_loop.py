"""Training that can be stopped at any moment."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from laboratory.training import loop
from laboratory.training.loop import Schedule, train

STEPS = 20
SCHEDULE = Schedule(steps=STEPS, rate=0.3, warm_up=4, average=0.8)
WANTED = torch.tensor([[1.0, -2.0, 3.0]])


class Stopped(Exception):
    """The training was stopped."""


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Write the log every 5 steps, and a state each time."""
    monkeypatch.setattr(loop, "_LOG_EVERY", 5)
    monkeypatch.setattr(loop, "_SAVE_EVERY_SECONDS", -1)


def fresh(seed: int = 0) -> nn.Module:
    model = nn.Linear(3, 1, bias=False)
    nn.init.normal_(model.weight, generator=torch.Generator().manual_seed(seed))
    return model


def learning(model: nn.Module, visit=lambda step: None):
    """The losses of finding a linear map. visit: called with each step."""

    def losses(draw: torch.Generator, passed: float) -> loop.Losses:
        visit(round(passed * STEPS))
        x = torch.randn(8, 3, generator=draw)
        return {"loss": (model(x) - x @ WANTED.T).square().mean(), "passed": torch.tensor(passed)}

    return losses


def trained(folder, seed: int = 0, schedule: Schedule = SCHEDULE) -> torch.Tensor:
    model = fresh(seed)
    train("line", model, learning(model), schedule, folder)
    return model.weight


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "line.jsonl").read_text(encoding="utf-8").splitlines()]


def test_training_finds_a_linear_map(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_EVERY_SECONDS", math.inf)
    assert torch.allclose(trained(tmp_path, schedule=Schedule(100, 0.3, warm_up=4, weight_decay=0)), WANTED, atol=0.05)


@pytest.mark.parametrize("kept, stopped", [(6, 7), (6, 11), (17, 19)])
def test_a_resumed_training_ends_like_one_that_was_not_stopped(tmp_path, monkeypatch, kept, stopped):
    """States are saved where the log is written. The steps after the last state are taken twice."""

    def visit(step: int) -> None:
        if step == kept:
            monkeypatch.setattr(loop, "_SAVE_EVERY_SECONDS", math.inf)
        if step == stopped:
            raise Stopped

    model = fresh()
    with pytest.raises(Stopped):
        train("line", model, learning(model, visit), SCHEDULE, tmp_path / "stopped")
    assert (tmp_path / "stopped" / "line.state.pt").exists() and not (tmp_path / "stopped" / "line.pt").exists()

    # Other initial weights, to show that the weights come from the state.
    steps, model = [], fresh(seed=1)
    train("line", model, learning(model, steps.append), SCHEDULE, tmp_path / "stopped")
    assert steps == list(range(kept // 5 * 5, STEPS))
    assert torch.equal(model.weight, trained(tmp_path / "whole"))
    for stopped, whole in zip(lines(tmp_path / "stopped"), lines(tmp_path / "whole"), strict=True):
        assert {**stopped, "seconds": 0} == {**whole, "seconds": 0}


def test_a_finished_training_is_loaded(tmp_path):
    first = trained(tmp_path)
    model, before = fresh(seed=1), lines(tmp_path)
    train("line", model, lambda draw, passed: pytest.fail("trained again"), SCHEDULE, tmp_path)
    assert torch.equal(model.weight, first) and lines(tmp_path) == before
    assert not model.training and not model.weight.requires_grad


def test_the_model_ends_frozen_and_its_state_file_is_removed(tmp_path):
    assert not trained(tmp_path).requires_grad
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line.jsonl", "line.pt"]


def test_the_log_holds_the_means_of_every_five_steps(tmp_path):
    trained(tmp_path)
    logged = lines(tmp_path)
    assert [line["step"] for line in logged] == [5, 10, 15, 20]
    assert [line["passed"] for line in logged] == pytest.approx([0.1, 0.35, 0.6, 0.85])  # means over five steps
    assert all(line.keys() == {"step", "seconds", "loss", "passed"} for line in logged)
    seconds = [line["seconds"] for line in logged]
    assert seconds == sorted(seconds) and seconds[0] >= 0
    assert logged[-1]["loss"] < 0.5 * logged[0]["loss"]


def test_the_result_is_the_moving_average_of_the_weights(tmp_path):
    """The decay is 1 / 10, 2 / 11 ... at first, until it reaches the decay of the schedule."""
    passing, model = [], fresh()
    train(
        "line",
        model,
        learning(model, lambda step: passing.append(model.weight.detach().clone())),
        Schedule(STEPS, 0.3, warm_up=4),
        tmp_path / "last",
    )
    passing.append(model.weight)
    average = passing[0]
    for step, weight in enumerate(passing[1:]):
        keep = min(0.8, (1 + step) / (10 + step))
        average = keep * average + (1 - keep) * weight
    assert torch.allclose(trained(tmp_path / "average"), average, atol=1e-6)
    assert not torch.allclose(average, passing[-1], atol=1e-3)


def test_the_rate_rises_and_falls(tmp_path):
    """The length of Adam's first step is its rate: a quarter of the highest with four steps of warm-up."""
    passing, model = [], fresh()
    train(
        "line",
        model,
        learning(model, lambda step: passing.append(model.weight.detach().clone())),
        Schedule(STEPS, 0.4, warm_up=4, weight_decay=0),
        tmp_path,
    )
    assert (passing[1] - passing[0]).abs() == pytest.approx(torch.full((1, 3), 0.1), rel=1e-3)
    assert (model.weight - passing[-1]).abs().max() < 0.01


@pytest.mark.parametrize("bf16, dtype", [(False, torch.float32), (True, torch.bfloat16)])
def test_bf16_is_used_only_where_asked_for(tmp_path, bf16, dtype):
    model, seen = fresh(), set()

    def losses(draw: torch.Generator, passed: float) -> loop.Losses:
        made = model(torch.ones(2, 3))
        seen.add(made.dtype)
        return {"loss": made.float().square().mean()}

    train("line", model, losses, Schedule(2, 0.1), tmp_path, bf16=bf16)
    assert seen == {dtype} and model.weight.dtype == torch.float32
