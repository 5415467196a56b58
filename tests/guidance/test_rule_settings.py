"""Rules refuse settings that cannot work, when they are made."""

from fractions import Fraction
from types import SimpleNamespace

import pytest

from aligner import settings
from aligner.errors import AlignerError
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.objective import PUBLISHED, Comparison
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search


def test_the_released_window_guides_the_last_23_of_30_steps():
    assert Released(start=0.2).window(30) == range(7, 30)


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
def test_the_window_holds_the_guided_steps(start, end, steps, expected):
    assert Released(start=start, end=end).window(steps) == expected


def test_a_window_that_holds_no_step_is_an_error():
    with pytest.raises(AlignerError, match="holds none of the 3 steps"):
        Released(start=0.9).window(3)


@pytest.mark.parametrize("rule", [Released, Paper])
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"rates": {"audio": -0.1}}, "audio latent"),
        ({"rates": {"audio": float("nan")}}, "audio latent"),
        ({"prompt_rates": {"audio": float("inf")}}, "audio prompt"),
        ({"inner_steps": 0}, "inner_steps"),
        ({"inner_steps": 1.5}, "inner_steps"),
        ({"start": 0.5, "end": 0.5}, "guided part"),
        ({"start": 0.8, "end": 0.2}, "guided part"),
        ({"end": 1.5}, "guided part"),
    ],
)
def test_settings_of_a_gradient_rule_that_cannot_work_name_themselves(rule, arguments, message):
    with pytest.raises(AlignerError, match=message):
        rule(**arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"candidates": {"audio": 0}}, "candidates for audio"),
        ({"candidates": {"video": 1.5}}, "candidates for video"),
        ({"at": 0.0}, "part of the steps between 0 and 1"),
        ({"at": 1.0}, "part of the steps between 0 and 1"),
        ({"at": float("nan")}, "part of the steps between 0 and 1"),
        ({"then": Search()}, "cannot be followed by another search"),
    ],
)
def test_settings_of_a_search_that_cannot_work_name_themselves(arguments, message):
    with pytest.raises(AlignerError, match=message):
        Search(**arguments)


def test_an_unknown_comparison_names_the_known_ones():
    with pytest.raises(AlignerError, match="mean, per_clip"):
        Comparison(compare="max")


@pytest.mark.parametrize("rule", [Released, Paper])
def test_rates_of_zero_everywhere_move_nothing(rule):
    with pytest.raises(AlignerError, match="moves nothing"):
        rule(rates={"audio": 0.0, "video": 0.1}).require_effect(["audio"], 10)
    rule(rates={"audio": 0.0}, prompt_rates={"audio": 0.1}).require_effect(["audio"], 10)


def test_nothing_to_do_is_said_before_anything_about_the_window():
    with pytest.raises(AlignerError, match="moves nothing"):
        Released(rates={}, prompt_rates={}, start=0.9).require_effect(["audio"], steps=1)


def test_one_candidate_and_no_rule_after_it_is_nothing_to_choose_from():
    with pytest.raises(AlignerError, match="nothing to choose from"):
        Search(candidates={"audio": 1}).require_effect(["audio"], steps=1)
    Search(candidates={"audio": 1}, then=Released()).require_effect(["audio"], steps=5)


@pytest.mark.parametrize(
    "at, steps, expected", [(0.4, 30, 12), (0.4, 25, 10), (0.05, 10, 1), (0.95, 10, 9), (0.6, 5, 3)]
)
def test_a_search_chooses_after_a_part_of_the_steps_and_one_at_least(at, steps, expected):
    assert Search(at=at).choice(steps) == expected


def test_rules_are_frozen():
    for rule, name in ((Released(), "inner_steps"), (Search(), "at"), (Unguided(), "comparison")):
        with pytest.raises(AttributeError):
            setattr(rule, name, 3)


def test_what_one_rule_holds_cannot_change_another_by_accident():
    Search().candidates["audio"] = 99
    Released().rates["audio"] = 99.0
    assert Search().candidates["audio"] == settings.AUDIO_CANDIDATES.default
    assert Released().rates["audio"] == settings.AUDIO_RATE.default


def test_the_defaults_are_those_of_the_settings():
    for rule in (Released(), Paper()):
        assert rule.rates == {"audio": 0.1, "video": 0.01} and rule.prompt_rates == {"audio": 0.0, "video": 0.01}
        assert rule.comparison == PUBLISHED == Comparison("mean", "seconds", 1.0, 0.0, 0.0) and rule.checkpointing
    search = Search()
    assert (search.candidates, search.at) == ({"audio": 16, "video": 16}, 0.4)
    assert search.comparison == Comparison("per_clip", "short", 0.0, 0.3, 0.0) and search.then == Unguided()


# --- memory ---------------------------------------------------------------------------------------------------------


def test_only_streams_that_a_gradient_moves_have_a_backward_pass():
    assert not Unguided().backward(["audio", "video"]) and not Search().backward(["audio", "video"])
    released = Released(rates={"audio": 0.1}, prompt_rates={"video": 0.01}).backward(["audio", "video"])
    assert {name: (each.to_latents, each.to_prompt) for name, each in released.items()} == {
        "audio": (False, False),
        "video": (False, True),
    }
    paper = Paper(rates={"audio": 0.1}, prompt_rates={"video": 0.01}).backward(["audio", "video"])
    assert {name: (each.to_latents, each.to_prompt) for name, each in paper.items()} == {
        "audio": (True, False),
        "video": (False, True),
    }


def test_a_search_goes_backward_where_the_rule_after_it_does():
    then = Released(checkpointing=False)
    assert Search(then=then).backward(["audio"]) == then.backward(["audio"]) != Released().backward(["audio"])


def test_a_search_takes_more_steps_before_the_choice():
    denoiser = SimpleNamespace(steps=10, coupled_streams=(("audio",), ("video",)), seconds=Fraction(1))
    scope = SimpleNamespace(denoiser=denoiser, objective=lambda rule: SimpleNamespace(compared={"audio"}))
    assert Search(candidates={"audio": 4, "video": 9}).passes(scope) == 10 + 3 * 4
    assert Unguided().passes(scope) == Released().passes(scope) == 10
