"""A small fixed slice of the table, in fewer steps: the default rule must beat no guidance."""

import pytest

from laboratory.evaluation import cells, runs
from laboratory.evaluation.cells import Cell
from laboratory.evaluation.runs import demo_models, rows_of

STEPS = 10
#: Video takes longer.
SAMPLES = {"V2A": 5, "A2V": 3, "joint": 3}
#: The least gain in right samples. If chance is 1 of 8 and the default is right on 80 % of all samples, 6 % of slices
#: of five and 25 % of three gain fewer than two. If guidance had no effect, 7 % and 3 % of them would gain two. The
#: samples are fixed, so that only the code can change the outcome.
LEAST = 2


@pytest.fixture(scope="module")
def models():
    return demo_models()


@pytest.mark.parametrize("task", ["V2A", "A2V", "joint"])
def test_the_default_beats_no_guidance_on_the_judge(models, task, monkeypatch):
    """Captions are vague, so that only guidance relates the result to its condition."""
    monkeypatch.setattr(runs, "STEPS", STEPS)
    monkeypatch.setattr(cells, "DRAWS", 1)
    unguided, default = (
        rows_of(Cell(task, method, "vague"), models, "development", SAMPLES[task]) for method in ("unguided", "default")
    )
    gained = sum(row["right"] for row in default) - sum(row["right"] for row in unguided)
    assert gained >= LEAST, f"{task}: {gained} of {SAMPLES[task]} more are right"
