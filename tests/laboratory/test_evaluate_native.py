"""`python -m laboratory.evaluate_native` compares Steer Model with plain sampling on the same clips."""

from __future__ import annotations

import json

import pytest

from aligner.errors import AlignerError
from laboratory import evaluate_native
from laboratory.evaluation.comfyui import ComfyUI
from laboratory.evaluation.native_prompts import AS_COSTLY, METHODS, STEERED, TASKS, UNGUIDED, native_prompt
from laboratory.weights import fingerprint

#: The share of right samples that is made up for each method.
RIGHT = {UNGUIDED: 0, AS_COSTLY: 0.5, STEERED: 1}


@pytest.fixture
def measured(monkeypatch, few_resamples, instruments, tmp_path, made_up_row):
    """Measures made-up rows with options and returns the figures and the table."""

    def rows(cell, comfyui, instruments, split, samples, work):
        return [made_up_row(index, index < RIGHT[cell.method] * samples) for index in range(samples)]

    def run(*options: str) -> tuple[dict, str]:
        evaluate_native.main([*options, "--samples", "8", "--output", str(tmp_path)])
        folder = tmp_path / "test"
        return json.loads((folder / "native.json").read_text("utf-8")), (folder / "native.md").read_text("utf-8")

    monkeypatch.setattr(evaluate_native, "native_rows", rows)
    monkeypatch.setattr(ComfyUI, "version", "1.2.3")
    monkeypatch.setattr(evaluate_native, "Instruments", lambda *models: instruments)
    return run


def test_the_gains_are_those_over_both_ways_of_plain_sampling(measured):
    figures, text = measured("--tasks", "A2I", "--captions", "vague")
    assert figures["ComfyUI"] == "1.2.3" and figures["weights"] == fingerprint()
    steered = figures[f"A2I-{STEERED}-vague"]
    assert steered["gain"] == {"mean": 1, "low": 1, "high": 1}
    assert steered["gain_at_equal_cost"]["mean"] == figures[f"A2I-{AS_COSTLY}-vague"]["gain"]["mean"] == 0.5
    assert "gain" not in figures[f"A2I-{UNGUIDED}-vague"]
    assert f"| vague | {STEERED} | 100 % (100–100) | +100 (100 to 100) | +50 (" in text
    assert f"| vague | {UNGUIDED} | 0 % (0–0) | – | – |" in text


def test_every_task_and_caption_has_all_methods(measured):
    figures, text = measured()
    assert len(figures) - 2 == len(TASKS) * 3 * len(METHODS)
    assert text.index("**A2I**") < text.index("**I2A**")


def test_only_the_steered_prompt_knows_what_is_given():
    prompts = {name: native_prompt(TASKS["A2I"], method, "a scene", "a.wav", 5) for name, method in METHODS.items()}
    assert [name for name, prompt in prompts.items() if "a.wav" in json.dumps(prompt)] == [STEERED]
    changed = {key: node for key, node in prompts[STEERED].items() if prompts[UNGUIDED].get(key) != node}
    assert changed.keys() - {"sampler"} == {"given", "binder", "condition", "search", "steered"}
    plain, steered = (prompts[name]["sampler"]["inputs"] for name in (UNGUIDED, STEERED))
    assert steered == {**plain, "model": ["steered", 0]}


def test_a_missing_comfyui_is_named():
    with pytest.raises(AlignerError, match="No ComfyUI answers at 127.0.0.1:1"):
        _ = ComfyUI("127.0.0.1:1").version
