"""A small fixed slice of the table: the default must beat no guidance by what so few samples can support."""

import pytest

from aligner.demo.evaluation.cells import Cell
from aligner.demo.evaluation.runs import demo_models, rows_of

SAMPLES = 8


@pytest.fixture(scope="module")
def models():
    return demo_models()


@pytest.mark.parametrize("task", ["V2A", "A2V", "joint"])
def test_the_default_beats_no_guidance_on_the_judge(models, task):
    """Vague captions: whatever the result has in common with its condition is guidance's doing."""
    unguided, default = (rows_of(Cell(task, method, "vague"), models, "development", SAMPLES)
                         for method in ("unguided", "default"))
    gained = sum(row["right"] for row in default) - sum(row["right"] for row in unguided)
    assert gained >= 2, f"{task}: {gained} of {SAMPLES} more are right"
