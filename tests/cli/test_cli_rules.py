"""The rule that the options describe."""

from dataclasses import replace

import pytest

from aligner.cli.arguments import parser
from aligner.cli.rules import rule_of
from aligner.errors import AlignerError
from aligner.generation import JOINT_SEARCH
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.objective import Comparison
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search

BOTH = ("video", "audio")
GIVEN = Comparison("mean", "spread", 0.25, 0.5, 0.75)
COMPARED = ("--compare", "mean", "--clips", "spread", "--text-weight", "0.25")
COMPARED += ("--audio-timing-weight", "0.5", "--video-timing-weight", "0.75")


def joint(*arguments: str):
    """The rule of the joint command with these options."""
    return rule_of(parser().parse_args(["joint", "waves", "-o", "out.mp4", *arguments]), BOTH)


@pytest.mark.parametrize(
    "arguments, rule",
    [
        ((), JOINT_SEARCH),
        (("--rule", "search"), JOINT_SEARCH),
        (("--rule", "code"), Released()),
        (("--rule", "paper"), Paper()),
        (("--then", "code"), replace(JOINT_SEARCH, then=Released())),
        (("--rule", "search", "--then", "paper"), replace(JOINT_SEARCH, then=Paper())),
        (("--unguided",), Unguided(Comparison())),
        (("--rule", "paper", "--unguided"), Unguided(Paper().comparison)),
        (("--then", "paper", "--unguided"), Unguided(Comparison())),
    ],
)
def test_defaults_are_those_of_the_rules(arguments, rule):
    assert joint(*arguments) == rule


@pytest.mark.parametrize("command, stream", [("v2a", "audio"), ("i2a", "audio"), ("a2v", "video"), ("a2i", "video")])
def test_a_rule_knows_the_streams_of_the_command_alone(command, stream):
    options = [command, "source", "-o", "out"]
    search = rule_of(parser().parse_args(options), [stream])
    released = rule_of(parser().parse_args([*options, "--rule", "code"]), [stream])
    assert search == Search(candidates={stream: Search().candidates[stream]})
    assert released == Released(
        rates={stream: Released().rates[stream]}, prompt_rates={stream: Released().prompt_rates[stream]}
    )


def test_one_network_for_both_streams_has_the_numbers_of_one_stream():
    assert rule_of(parser().parse_args(["mm-diffusion", "-o", "out.mp4"]), BOTH) == Search()


def test_options_of_the_search_reach_it():
    given = ("--audio-candidates", "3", "--video-candidates", "5", "--at", "0.6", *COMPARED)
    given += ("--audio-shift", "0.5")
    expected = Search(candidates={"audio": 3, "video": 5}, at=0.6, audio_shift=0.5, comparison=GIVEN)
    assert joint(*given) == expected


MOVING = ("--audio-rate", "0.2", "--video-prompt-rate", "0", "--inner-steps", "3", "--start", "0.1", "--end", "0.9")


@pytest.mark.parametrize("name, rule", [("code", Released), ("paper", Paper)])
def test_options_of_the_gradient_rules_reach_them_alone_and_after_a_search(name, rule):
    moving = rule(
        rates={"audio": 0.2, "video": 0.01},
        prompt_rates={"audio": 0.0, "video": 0.0},
        inner_steps=3,
        start=0.1,
        end=0.9,
        checkpointing=False,
    )
    assert joint("--rule", name, *MOVING, "--no-checkpointing") == moving
    then = joint("--then", name, *MOVING, "--no-checkpointing", "--at", "0.5")
    assert then == replace(JOINT_SEARCH, at=0.5, then=moving)


def test_what_is_compared_applies_to_all_phases_when_it_is_given():
    assert joint("--then", "code", *COMPARED) == replace(
        JOINT_SEARCH, then=Released(comparison=GIVEN), comparison=GIVEN
    )
    one = joint("--then", "code", "--clips", "spread")
    assert one.comparison == Comparison(clips="spread")
    assert one.then.comparison == Comparison("mean", "spread", 1.0, 0.0)
    assert joint("--rule", "paper", "--unguided", *COMPARED) == Unguided(GIVEN)


SEARCH_OPTIONS = (("--audio-candidates", "2"), ("--video-candidates", "2"), ("--at", "0.5"), ("--then", "code"))
GRADIENT_OPTIONS = (
    ("--audio-rate", "0.1"),
    ("--video-rate", "0.1"),
    ("--audio-prompt-rate", "0.1"),
    ("--video-prompt-rate", "0.1"),
    ("--inner-steps", "2"),
    ("--start", "0.1"),
    ("--end", "0.9"),
    ("--checkpointing",),
    ("--no-checkpointing",),
)


@pytest.mark.parametrize("rule", ["code", "paper"])
@pytest.mark.parametrize("option", SEARCH_OPTIONS, ids=" ".join)
def test_options_of_the_search_are_refused_with_gradient_rules(rule, option):
    with pytest.raises(AlignerError) as error:
        joint("--rule", rule, *option)
    assert str(error.value) == (
        f"{option[0]} belongs to the rule search and has no effect with --rule {rule}: leave it out, or choose such a "
        "rule by --rule."
    )


@pytest.mark.parametrize("option", GRADIENT_OPTIONS, ids=" ".join)
def test_options_of_the_gradient_rules_are_refused_with_the_search_alone(option):
    with pytest.raises(AlignerError) as error:
        joint(*option)
    assert str(error.value) == (
        f"{option[0].replace('--no-', '--')} belongs to the rules code and paper and has no effect with --rule "
        "search: leave it out, or choose such a rule by --rule or --then."
    )
    assert joint("--then", "code", *option).then.checkpointing is (option != ("--no-checkpointing",))


def test_an_unused_option_ends_the_command_with_one_line(refused, clip):
    line = refused("v2a", clip, "-o", "out.mp4", "--audio-rate", "0.1")
    assert line.startswith("aligner: --audio-rate belongs to the rules code and paper")


def test_a_funnel_is_read_from_its_text():
    assert joint("--funnel", "0.1: 8, 0.2: 4").funnel == ((0.1, 8), (0.2, 4))
    with pytest.raises(AlignerError, match="must be whole"):
        joint("--funnel", "0.1: 2.5")
    with pytest.raises(AlignerError, match="is not a point of a funnel"):
        joint("--funnel", "eight")
