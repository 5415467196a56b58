"""`python -m laboratory.evaluate_coupled` compares what MM-Diffusion makes alone with what the aligner makes of it."""

from __future__ import annotations

import json

import pytest
import torch

from aligner.generators.mm_diffusion import MMDiffusion
from laboratory import evaluate_coupled
from laboratory.evaluation import coupled_rows
from laboratory.evaluation.coupled_cells import CoupledCell, Way, coupled_cells
from laboratory.evaluation.coupled_rows import CoupledModels
from laboratory.evaluation.instruments import Instruments

from ..generators.mm_diffusion.conftest import random_network


@pytest.fixture
def models(instruments):
    return CoupledModels(MMDiffusion(random_network()), instruments, "weights")


@pytest.fixture
def measured(monkeypatch, few_resamples, models, tmp_path, made_up_row):
    """Measures made-up rows with options and returns the figures and the table."""

    def rows(cell, models, split, samples, work):
        right = samples if cell != cell.baseline else samples // 2
        return [made_up_row(index, index < right) | {"heard": [float(index)] * 64} for index in range(samples)]

    def run(*options: str) -> tuple[dict, str]:
        evaluate_coupled.main([*options, "--samples", "8", "--output", str(tmp_path)])
        folder = tmp_path / "test"
        return json.loads((folder / "coupled.json").read_text("utf-8")), (folder / "coupled.md").read_text("utf-8")

    monkeypatch.setattr(evaluate_coupled, "coupled_rows", rows)
    monkeypatch.setattr(evaluate_coupled, "coupled_models", lambda: models)
    real = {stream: torch.eye(8, 64) for stream in ("video", "audio")}
    monkeypatch.setattr(evaluate_coupled, "coupled_features", lambda models, split, samples: real)
    return run


def test_every_way_is_held_against_the_first_of_its_task(measured):
    figures, text = measured("--tasks", "joint", "V2A")
    assert len(figures) == 8
    gain = figures["joint-+ aligner, paper"]["gain"]
    assert 0 < gain["low"] < gain["mean"] == 0.5 < gain["high"]
    assert "gain" not in figures["joint-vanilla"] and "gain" not in figures["V2A-replacement"]
    assert "| vanilla | 50 % (" in text and "**V2A**" in text and "| gradient | 100 % (100–100) | +50 (" in text


def test_distances_of_both_streams_are_to_their_own_real_clips(measured):
    figures, _ = measured("--tasks", "joint")
    vanilla = figures["joint-vanilla"]
    # The made-up videos equal the real ones, and the sounds do not.
    assert vanilla["frechet_video"] == pytest.approx(0, abs=1e-4) and vanilla["frechet_audio"] > 1
    assert vanilla["kernel_video"] < 0.01 < vanilla["kernel_audio"]


@pytest.mark.parametrize(
    "cell", [CoupledCell("joint", "vanilla"), CoupledCell("V2A", "gradient")], ids=lambda c: c.name
)
def test_a_row_holds_what_was_given_and_is_kept(cell, models, tmp_path, monkeypatch):
    rows = coupled_rows.coupled_rows(cell, models, "test", 2, tmp_path)
    assert [len(row["heard"]) for row in rows] == [64] * 2 and rows[0]["cosine"] != rows[1]["cosine"]
    monkeypatch.setattr(coupled_rows, "_batch", lambda *arguments: pytest.fail("measured again"))
    assert coupled_rows.coupled_rows(cell, models, "test", 2, tmp_path) == rows


def test_zero_shot_tasks_have_ways_that_follow_what_is_given():
    assert {cell.way.reconstruction > 0 for cell in coupled_cells(["V2A", "A2V"])} == {True, False}
    assert all(cell.way.reconstruction == 0 for cell in coupled_cells(["joint", "text"]))
    assert all(cell.baseline.way == Way() for cell in coupled_cells())


def test_a_caption_asks_for_its_event(models, tmp_path, monkeypatch):
    """The judge names a ball for every stream: right where the caption names it."""
    measured = Instruments.measured
    monkeypatch.setattr(
        Instruments, "measured", lambda *each: [row | {"right": True, "judged": "ball"} for row in measured(*each)]
    )
    rows = coupled_rows.coupled_rows(CoupledCell("text", "vanilla"), models, "test", 8, tmp_path)
    assert [row["right"] for row in rows] == [row["event"] == "ball" for row in rows]
    assert {row["right"] for row in rows} == {True, False}
