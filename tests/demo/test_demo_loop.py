"""Training that can be stopped anywhere."""

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
    """Somebody pulled the plug."""


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Log every 5 steps, keep a state after each."""
    monkeypatch.setattr(loop, "_LOG_EVERY", 5)
    monkeypatch.setattr(loop, "_SAVE_EVERY_SECONDS", -1)


def fresh(seed: int = 0) -> nn.Module:
    model = nn.Linear(3, 1, bias=False)
    nn.init.normal_(model.weight, generator=torch.Generator().manual_seed(seed))
    return model


def learning(model: nn.Module, visit=lambda step: None):
    """Losses of a linear map that is to be found. visit: is told each step."""

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


def test_it_learns(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_EVERY_SECONDS", math.inf)
    assert torch.allclose(trained(tmp_path, schedule=Schedule(100, 0.3, warm_up=4, weight_decay=0)), WANTED, atol=0.05)


@pytest.mark.parametrize("kept, stopped", [(6, 7), (6, 11), (17, 19)])
def test_what_was_stopped_ends_as_if_it_had_not_been(tmp_path, monkeypatch, kept, stopped):
    """States are kept where the log is written; what comes after the last one is done twice."""

    def visit(step: int) -> None:
        if step == kept:
            monkeypatch.setattr(loop, "_SAVE_EVERY_SECONDS", math.inf)
        if step == stopped:
            raise Stopped

    model = fresh()
    with pytest.raises(Stopped):
        train("line", model, learning(model, visit), SCHEDULE, tmp_path / "stopped")
    assert (tmp_path / "stopped" / "line.state.pt").exists() and not (tmp_path / "stopped" / "line.pt").exists()

    steps, model = [], fresh(seed=1)  # other first weights: they must come from the state
    train("line", model, learning(model, steps.append), SCHEDULE, tmp_path / "stopped")
    assert steps == list(range(kept // 5 * 5, STEPS))
    assert torch.equal(model.weight, trained(tmp_path / "whole"))
    for stopped, whole in zip(lines(tmp_path / "stopped"), lines(tmp_path / "whole"), strict=True):
        assert {**stopped, "seconds": 0} == {**whole, "seconds": 0}


def test_a_finished_part_is_loaded_and_left_alone(tmp_path):
    first = trained(tmp_path)
    model, before = fresh(seed=1), lines(tmp_path)
    train("line", model, lambda draw, passed: pytest.fail("trained again"), SCHEDULE, tmp_path)
    assert torch.equal(model.weight, first) and lines(tmp_path) == before
    assert not model.training and not model.weight.requires_grad


def test_the_model_ends_frozen_and_its_state_is_cleared_away(tmp_path):
    assert not trained(tmp_path).requires_grad
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line.jsonl", "line.pt"]


def test_the_log_says_how_it_went(tmp_path):
    trained(tmp_path)
    logged = lines(tmp_path)
    assert [line["step"] for line in logged] == [5, 10, 15, 20]
    assert [line["passed"] for line in logged] == pytest.approx([0.1, 0.35, 0.6, 0.85])  # means over five steps
    assert all(line.keys() == {"step", "seconds", "loss", "passed"} for line in logged)
    seconds = [line["seconds"] for line in logged]
    assert seconds == sorted(seconds) and seconds[0] >= 0
    assert logged[-1]["loss"] < 0.5 * logged[0]["loss"]


def test_what_is_kept_is_the_average_of_the_weights(tmp_path):
    """Short at first: of 1 / 10, 2 / 11 ... of the past, until that would be more than asked for."""
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
    """Adam's first step is as long as its rate: a quarter of the highest where it warms up for four steps."""
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
def test_bf16_is_for_those_who_ask(tmp_path, bf16, dtype):
    model, seen = fresh(), set()

    def losses(draw: torch.Generator, passed: float) -> loop.Losses:
        made = model(torch.ones(2, 3))
        seen.add(made.dtype)
        return {"loss": made.float().square().mean()}

    train("line", model, losses, Schedule(2, 0.1), tmp_path, bf16=bf16)
    assert seen == {dtype} and model.weight.dtype == torch.float32
