import pytest

from aligner.errors import AlignerError
from aligner.guidance.rule import RULES, Guidance


def test_the_released_window_guides_the_last_23_of_30_steps():
    assert Guidance(start=0.2).window(30) == range(7, 30)


@pytest.mark.parametrize(
    "start, end, steps, expected",
    [
        (0.0, 1.0, 10, range(10)),
        (0.0, 0.5, 10, range(5)),
        (0.5, 1.0, 10, range(6, 10)),
        (0.0, 0.55, 20, range(11)),
        (0.0, 1.0, 1, range(1)),
    ],
)
def test_window(start, end, steps, expected):
    assert Guidance(start=start, end=end).window(steps) == expected


def test_a_window_that_holds_no_step_is_an_error():
    with pytest.raises(AlignerError, match="holds none of the 3 steps"):
        Guidance(start=0.9).window(3)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"rule": "mine"}, "released"),
        ({"compare": "max"}, "per_clip"),
        ({"clips": "none"}, "upstream"),
        ({"rates": {"audio": -0.1}}, "audio"),
        ({"rates": {"audio": float("nan")}}, "audio"),
        ({"prompt_rates": {"audio": float("inf")}}, "prompt"),
        ({"inner_steps": 0}, "inner step"),
        ({"inner_steps": 1.5}, "inner step"),
        ({"start": 0.5, "end": 0.5}, "window"),
        ({"start": 0.8, "end": 0.2}, "window"),
        ({"end": 1.5}, "window"),
    ],
)
def test_settings_that_cannot_work_name_themselves(settings, message):
    with pytest.raises(AlignerError, match=message):
        Guidance(**settings)


def test_rates_of_zero_everywhere_move_nothing():
    with pytest.raises(AlignerError, match="moves nothing"):
        Guidance("released", rates={"audio": 0.0, "video": 0.1}).require_effect(["audio"], 10)
    Guidance("released", rates={"audio": 0.0}, prompt_rates={"audio": 0.1}).require_effect(["audio"], 10)


def test_guidance_is_frozen():
    with pytest.raises(AttributeError):
        Guidance().inner_steps = 3


def test_nothing_to_do_is_said_before_anything_about_the_window():
    with pytest.raises(AlignerError, match="moves nothing"):
        Guidance(candidates={"audio": 1}).require_effect(["audio"], steps=1)


def test_what_a_rule_says_cannot_be_changed_by_accident():
    Guidance().candidates["audio"] = 99
    assert Guidance().candidates["audio"] == RULES["search"].candidates["audio"] != 99
