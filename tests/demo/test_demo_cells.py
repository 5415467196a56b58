"""What the table is made of."""

from __future__ import annotations

import pytest

from aligner.demo.events import EVENTS
from aligner.errors import AlignerError
from aligner.guidance.rule import Guidance
from laboratory.evaluation.cells import CAPTIONS, METHODS, TASKS, Cell, cells
from laboratory.world import VAGUE_CAPTIONS, scene


def test_every_combination_is_a_cell_of_its_own():
    every = cells()
    assert len(every) == len({cell.name for cell in every}) == 4 * 4 * 3
    assert [cell.task for cell in every] == [task for task in TASKS for _ in range(12)]


def test_some_combinations_in_the_order_asked_for():
    some = cells(["A2V"], ["default", "unguided"], ["vague"])
    assert some == [Cell("A2V", "default", "vague"), Cell("A2V", "unguided", "vague")]
    assert some[0].name == "A2V-default-vague"


@pytest.mark.parametrize(
    "names, wrong, right",
    [
        (("T2A", "paper", "right"), "T2A", "joint"),
        (("V2A", "ours", "right"), "ours", "released"),
        (("V2A", "paper", "none"), "none", "vague"),
    ],
)
def test_a_name_that_is_none_is_refused(names, wrong, right):
    with pytest.raises(AlignerError) as caught:
        Cell(*names)
    assert wrong in str(caught.value) and right in str(caught.value)


def test_what_methods_are():
    assert METHODS["unguided"] is None and METHODS["default"] == Guidance()
    assert METHODS["paper"].rule == "paper" and METHODS["released"].rule == "released"
    # The paper tunes prompts where it makes videos, and the released code never does.
    assert METHODS["paper"].prompt_rates == {"video": 0.01} and not METHODS["released"].prompt_rates
    assert not METHODS["default"].moves and METHODS["released"].candidates == {}


def test_what_captions_are():
    one = scene("test", 3)
    said = {name: [caption(one, number) for number in range(21)] for name, caption in CAPTIONS.items()}
    assert set(said["right"]) == set(EVENTS[3].captions)
    assert set(said["vague"]) == set(VAGUE_CAPTIONS)
    assert set(said["wrong"]) == {event.captions[0] for event in EVENTS} - set(EVENTS[3].captions)
