"""Cells of the table: tasks, rules and captions."""

from __future__ import annotations

import pytest

from aligner.demo.events import EVENTS
from aligner.errors import AlignerError
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search, rehearsed_steps
from laboratory.evaluation.cells import CAPTIONS, METHODS, TASKS, Cell, cells
from laboratory.world import VAGUE_CAPTIONS, scene


def test_every_combination_is_a_cell_of_its_own():
    every = cells()
    assert len(every) == len({cell.name for cell in every})
    methods = {(cell.task, cell.caption): {c.method for c in every if c.task == cell.task} for cell in every}
    assert all(found == set(METHODS) for found in methods.values())
    # Unguided and default with all captions, the others with vague ones.
    assert [sum(cell.task == task for cell in every) for task in TASKS] == [9, 9, 9, 7]


def test_no_caption_is_wrong_where_nothing_else_is_given():
    assert Cell("joint", "default", "wrong") not in cells()


def test_tasks_draw_different_noises():
    assert len({task.seed for task in TASKS.values()}) == len(TASKS)


def test_chance_is_drawn_several_times():
    assert [
        Cell("V2A", *names).draws for names in (("unguided", "vague"), ("unguided", "right"), ("default", "vague"))
    ] == [
        4,
        1,
        1,
    ]


def test_the_finished_cost_as_much_as_the_default():
    """7 whole runs of 20 steps, and 16 candidates for 8 steps and 12 more of one."""
    finished, default = (
        rehearsed_steps(rule.most(["audio"]), rule.choices(20)) + 20 - rule.choice(20)
        for rule in (METHODS["finished"], METHODS["default"])
    )
    assert finished == 7 * 19 + 1 and default == 16 * 8 + 12 and abs(finished - default) <= 6


def test_selected_cells_come_in_the_order_of_the_selection():
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
def test_an_unknown_name_is_refused(names, wrong, right):
    with pytest.raises(AlignerError) as caught:
        Cell(*names)
    assert wrong in str(caught.value) and right in str(caught.value)


def test_methods_are_the_rules_of_the_papers_and_the_default():
    assert METHODS["unguided"] == Unguided() and METHODS["default"] == Search()
    # The paper tunes prompts where it makes videos, and the released code never does.
    assert METHODS["paper"].frugal() == Paper() and METHODS["paper"].tunes_prompts(["video"])
    assert METHODS["released"].frugal() == Released(prompt_rates={})
    assert not METHODS["paper"].tunes_prompts(["audio"]) and not METHODS["released"].tunes_prompts(["audio", "video"])


def test_captions_are_right_vague_or_wrong():
    one = scene("test", 3)
    said = {name: [caption(one, number) for number in range(21)] for name, caption in CAPTIONS.items()}
    assert set(said["right"]) == set(EVENTS[3].captions)
    assert set(said["vague"]) == set(VAGUE_CAPTIONS)
    assert set(said["wrong"]) == {event.captions[0] for event in EVENTS} - set(EVENTS[3].captions)
