"""Options that are settings: name, default, range and description of each come from `aligner.settings`."""

import argparse
import re
import shlex

import pytest

from aligner import settings
from aligner.cli import parsed as understood
from aligner.cli.arguments import EXAMPLES, parser
from aligner.cli.rules import rule_of
from aligner.errors import AlignerError

#: What every command that makes something offers.
COMMON = (
    settings.NEGATIVE_PROMPT,
    settings.SEED,
    settings.COMPARE,
    settings.CLIPS,
    settings.TEXT_WEIGHT,
    settings.AT,
    settings.FUNNEL,
    settings.INNER_STEPS,
    settings.START,
    settings.END,
    settings.CHECKPOINTING,
)
AUDIO_RULE = (
    settings.AUDIO_CANDIDATES,
    settings.AUDIO_RATE,
    settings.AUDIO_PROMPT_RATE,
    settings.AUDIO_TIMING_WEIGHT,
    settings.AUDIO_SHIFT,
)
VIDEO_RULE = (
    settings.VIDEO_CANDIDATES,
    settings.VIDEO_RATE,
    settings.VIDEO_PROMPT_RATE,
    settings.VIDEO_TIMING_WEIGHT,
)
SOUND = (
    settings.PROMPT,
    settings.WEIGHT,
    settings.AUDIO_STEPS,
    settings.AUDIO_CFG,
    settings.WINDOW_SECONDS,
    *AUDIO_RULE,
    *COMMON,
)
PICTURE = (
    settings.WIDTH,
    settings.HEIGHT,
    settings.DECODING,
    settings.VIDEO_STEPS,
    settings.VIDEO_CFG,
    *VIDEO_RULE,
    *COMMON,
)
VIDEO = (settings.FRAMES, settings.FPS, settings.WINDOW_FRAMES, settings.DENOISE, *PICTURE)
#: Two streams that are made for each other have other numbers of candidates.
PAIRED = (settings.AUDIO_CANDIDATES, settings.VIDEO_CANDIDATES)
#: One network for both streams has no prompts, and moves nothing in time.
OF_PROMPTS_AND_MOVES = (
    settings.NEGATIVE_PROMPT,
    settings.TEXT_WEIGHT,
    settings.AUDIO_PROMPT_RATE,
    settings.VIDEO_PROMPT_RATE,
    settings.AUDIO_SHIFT,
)
#: By command, the settings that apply to its streams.
OFFERED = {
    "v2a": SOUND,
    "i2a": (settings.SECONDS, *SOUND),
    "a2v": (settings.PROMPT, settings.WEIGHT, *VIDEO),
    "a2i": (settings.PROMPT, settings.WEIGHT, *PICTURE),
    "joint": (
        settings.PAIR_WEIGHT,
        settings.JOINT_AUDIO_STEPS,
        settings.JOINT_AUDIO_CFG,
        settings.JOINT_AUDIO_PROMPT,
        settings.JOINT_AUDIO_NEGATIVE_PROMPT,
        settings.WINDOW_SECONDS,
        *[each for each in (*AUDIO_RULE, *VIDEO) if each not in PAIRED],
        *settings.JOINT_CANDIDATES,
    ),
    "mm-diffusion": (
        settings.WEIGHT,
        settings.PAIR_WEIGHT,
        settings.COUPLED_STEPS,
        settings.SAMPLER,
        settings.COUPLED_SECONDS,
        settings.OVERLAP,
        settings.RECONSTRUCTION,
        *[each for each in (*AUDIO_RULE, *VIDEO_RULE, *COMMON) if each not in OF_PROMPTS_AND_MOVES],
    ),
    "batch": (),
    "score": (settings.BOOTSTRAP_SEED, settings.PUBLISHED_CLIPS),
    "demo": (settings.DEMO_SEED,),
}
#: The least that each command needs.
REQUIRED = {
    "v2a": ("clip.mp4", "-o", "out.mp4"),
    "i2a": ("picture.png", "-o", "out.wav"),
    "a2v": ("sound.wav", "-o", "out.mp4"),
    "a2i": ("sound.wav", "-o", "out.png"),
    "joint": ("waves", "-o", "out.mp4"),
    "mm-diffusion": ("-o", "out.mp4"),
    "batch": ("clips", "-o", "results"),
    "score": ("results",),
    "demo": (),
}
#: Where the rule or the models have a default of their own, the option is None until it is given.
OPEN = {"compare", "text_weight"} | {setting.name for setting in (*settings.SEARCH, *settings.GRADIENT)}
#: Every name that a setting has, whatever the command.
NAMES = {each.name for each in vars(settings).values() if isinstance(each, settings.Setting)}


def flag(setting: settings.Setting) -> str:
    return "--" + setting.name.replace("_", "-")


def parsed(command: str, *arguments: str) -> argparse.Namespace:
    return parser().parse_args([command, *REQUIRED[command], *arguments])


def command_of(name: str) -> argparse.ArgumentParser:
    (commands,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return commands.choices[name]


def described(command: str, setting: settings.Setting) -> str:
    """The help of an option on one line."""
    (action,) = (each for each in command_of(command)._actions if flag(setting) in each.option_strings)
    return " ".join((action.help % {"default": action.default}).split())


def unit(setting: settings.Setting) -> str:
    return f" {setting.unit}" if setting.unit else ""


def words(value: object) -> str:
    """Numbers as people write them."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("command", OFFERED)
def test_a_command_offers_the_settings_of_its_streams_and_no_others(command):
    names = {action.dest for action in command_of(command)._actions if action.option_strings}
    offered = {setting.name for setting in OFFERED[command]}
    # The command line chooses among more rules than the node of the gradient rules.
    assert names & (NAMES - {"rule"}) == offered


@pytest.mark.parametrize("command", OFFERED)
def test_description_range_and_default_in_the_help_are_the_settings(command):
    for setting in OFFERED[command]:
        text = described(command, setting)
        assert text.startswith(setting.description)
        if setting.low is not None:
            assert f" Range {words(setting.low)} to {words(setting.high)}{unit(setting)}, " in text
        if setting.default != "":
            assert f"efault {words(setting.default)}" in text, setting.name


@pytest.mark.parametrize("command", OFFERED)
def test_type_and_default_are_the_settings(command):
    defaults = parsed(command)
    for setting in OFFERED[command]:
        own = command not in ("score", "demo") and setting.name in OPEN
        assert getattr(defaults, setting.name) == (None if own else setting.default), setting.name
        if setting is not settings.CHECKPOINTING:
            given = setting.choices[-1] if setting.choices else str(setting.high or "text")
            value = getattr(parsed(command, flag(setting), given), setting.name)
            assert type(value) is type(setting.default) and value == type(value)(given), setting.name


def test_checkpointing_is_on_or_off():
    assert parsed("v2a", "--checkpointing").checkpointing is True
    assert parsed("v2a", "--no-checkpointing").checkpointing is False


@pytest.mark.parametrize("command", OFFERED)
def test_the_choices_are_the_settings(command, capsys):
    for setting in OFFERED[command]:
        if setting.choices:
            with pytest.raises(SystemExit):
                parsed(command, flag(setting), "another")
            assert re.findall(r"[\w-]+", capsys.readouterr().err.rpartition("choose from")[2]) == list(setting.choices)


@pytest.mark.parametrize("command", OFFERED)
def test_a_value_outside_its_range_is_refused(command):
    for setting in OFFERED[command]:
        low, high = setting.low, setting.high
        if low is None:
            continue
        for value in (low - 1, high + 1, *([] if isinstance(setting.default, int) else [float("nan")])):
            with pytest.raises(AlignerError) as error:
                parsed(command, flag(setting), str(value))
            bounds = f"between {words(low)} and {words(high)}{unit(setting)}"
            assert str(error.value) == f"{flag(setting)} must be {bounds}, not {words(value)}."
        for value in (low, high):
            assert getattr(parsed(command, flag(setting), str(value)), setting.name) == value


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("v2a", "clip.mp4", "-o", "out.mp4", "--at", "2"), "--at must be between 0.05 and 0.95, not 2."),
        (("v2a", "clip.mp4", "-o", "out.mp4", "--steps", "2000"), "--steps must be between 1 and 999, not 2000."),
        (("i2a", "a.png", "-o", "o.wav", "--seconds", "0"), "--seconds must be between 0.01 and 3600 seconds, not 0."),
    ],
)
def test_the_command_line_ends_with_that_message_before_anything_is_read(refused, arguments, message):
    assert refused(*arguments) == f"aligner: {message}"


def test_every_example_of_the_help_can_be_run():
    commands = [shlex.split(line)[3:] for line in EXAMPLES.splitlines() if line.startswith("  python -m aligner ")]
    assert {command for command, *_ in commands} == OFFERED.keys()
    for command, *arguments in commands:
        options = understood([command, *arguments])
        if command not in ("batch", "score", "demo"):
            both = ["video", "audio"]
            streams = {"v2a": ["audio"], "i2a": ["audio"], "joint": both, "mm-diffusion": both}.get(command, ["video"])
            assert rule_of(options, streams).guides


def test_options_are_never_abbreviated(capsys):
    with pytest.raises(SystemExit):
        parsed("v2a", "--window", "2")
    assert "unrecognized arguments" in capsys.readouterr().err
