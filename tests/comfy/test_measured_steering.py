"""The laboratory measures Steer Model in a real ComfyUI. A few samples show that it measures what the nodes made."""

from __future__ import annotations

import pytest

from aligner.demo.family import load_demo_imagebind, load_demo_judge
from aligner.errors import AlignerError
from laboratory.evaluation.comfyui import ComfyUI
from laboratory.evaluation.instruments import Instruments
from laboratory.evaluation.native import NativeCell, native_rows
from laboratory.evaluation.native_prompts import EVALUATIONS, METHODS, STEERED, TASKS, UNGUIDED, native_prompt
from laboratory.weights import load_second_imagebind
from laboratory.world import scene

from .prompts import node
from .server import Server


@pytest.fixture
def running(comfyui: Server) -> ComfyUI:
    return ComfyUI(comfyui.client.address)


@pytest.fixture(scope="module")
def trained_instruments() -> Instruments:
    return Instruments(load_demo_judge(), load_second_imagebind(), load_demo_imagebind())


@pytest.mark.parametrize("task", TASKS)
def test_the_judge_finds_what_a_right_caption_names(running, trained_instruments, tmp_path, task):
    rows = native_rows(NativeCell(task, UNGUIDED, "right"), running, trained_instruments, "development", 3, tmp_path)
    assert [row["judged"] for row in rows] == [scene("development", index).event.name for index in range(3)]
    assert all(row["right"] and row["seconds"] > 0 for row in rows)


@pytest.mark.parametrize("task", TASKS)
def test_the_measured_steering_raises_what_it_optimises_and_costs_what_is_stated(
    running, trained_instruments, tmp_path, task, monkeypatch
):
    reports = []
    run = ComfyUI.run

    def reported(self, prompt):
        report = {
            "report": node("SeeingHearingSteeringReport", steering=["steered", 1], latent=["sampler", 0]),
            "words": node("PreviewAny", source=["report", 3]),
        }
        outputs = run(self, prompt | (report if "steered" in prompt else {}))
        reports.extend(outputs.get("words", {}).get("text", []))
        return outputs

    monkeypatch.setattr(ComfyUI, "run", reported)
    ((plain,), (steered,)) = (
        native_rows(NativeCell(task, method, "vague"), running, trained_instruments, "development", 1, tmp_path)
        for method in (UNGUIDED, STEERED)
    )
    assert steered["optimised"] > plain["optimised"] + 0.1
    (report,) = reports
    assert f"{EVALUATIONS} evaluations of the model" in report


def test_measured_samples_are_not_made_again(running, trained_instruments, tmp_path, monkeypatch):
    cell = NativeCell("A2I", UNGUIDED, "vague")
    rows = native_rows(cell, running, trained_instruments, "development", 2, tmp_path)
    monkeypatch.setattr(ComfyUI, "run", lambda *arguments: pytest.fail("a prompt ran"))
    assert native_rows(cell, running, trained_instruments, "development", 2, tmp_path) == rows
    with pytest.raises(pytest.fail.Exception):
        native_rows(cell, running, trained_instruments, "development", 3, tmp_path)


def test_a_prompt_that_comfyui_refuses_is_shown(running):
    with pytest.raises(AlignerError, match="refuses /prompt.*NoSuchNode"):
        running.run({"nothing": node("NoSuchNode")})


def test_a_prompt_that_fails_says_why(running):
    prompt = native_prompt(TASKS["A2I"], METHODS[STEERED], "a scene", "", seed=0)
    del prompt["given"], prompt["condition"]["inputs"]["audio"]
    with pytest.raises(AlignerError, match="refuses /prompt.*There is nothing to encode"):
        running.run(prompt)
