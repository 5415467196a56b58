"""Options of rules, and which rule each belongs to. `rules` builds the rule that they describe."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser
from collections.abc import Collection, Iterable, Sequence

from .. import settings
from ..settings import Setting
from .options import add_option, add_options, words

SEARCH = "search"
GRADIENT_RULES = settings.RULE.choices
BUILT_IN = (SEARCH, *GRADIENT_RULES)

#: The settings that only the search has, those that only the gradient rules have, and those that all have.
OF_SEARCH = tuple(setting for setting in settings.SEARCH if setting not in settings.COMPARISON)
OF_GRADIENT = tuple(
    setting for setting in settings.GRADIENT if setting not in (settings.RULE, *settings.PUBLISHED_COMPARISON)
)
OF_ALL = settings.COMPARISON


#: What has no effect where one network makes all streams: it has no prompts, and moves nothing in time.
_OF_PROMPTS_AND_MOVES = ("text_weight", "audio_prompt_rate", "video_prompt_rate", "audio_shift")


def add_rule_options(command: ArgumentParser, *streams: str, coupled: bool = False) -> None:
    """Add the choice of a rule, and the settings of the rules for these streams.

    coupled: whether one network makes all streams, without prompts; else each stream has a generator with prompts.
    """
    useless = _OF_PROMPTS_AND_MOVES if coupled else ()
    group = command.add_argument_group("guidance")
    group.add_argument(
        "--rule",
        default=SEARCH,
        metavar=f"{{{','.join(BUILT_IN)},NAME}}",
        help="search: try several noises and continue with the one that fits best; no gradient changes it. "
        f"{settings.RULE.description} NAME: a rule that another package installs. Default {SEARCH}.",
    )
    group.add_argument(
        "--then",
        metavar=f"{{{','.join(GRADIENT_RULES)},NAME}}",
        help=f"After the search, continue what it chose by this rule. Only with --rule {SEARCH}; without --then "
        "no gradient changes it.",
    )
    group.add_argument(
        "--unguided", action="store_true", help="Sample without guidance and only score the result, to compare."
    )
    published_of = dict(zip(settings.COMPARISON, settings.PUBLISHED_COMPARISON))
    for setting in _for_streams(OF_ALL, streams, useless):
        published = published_of[setting]
        own = f"{words(setting.default)} with {SEARCH}, {words(published.default)} with {' and '.join(GRADIENT_RULES)}"
        add_option(group, setting, default=own)
    if coupled:
        command.set_defaults(tuned_prompt=None, save_prompt=None)
    else:
        _add_tuned_prompts(group)
    apart = len(streams) > 1 and not coupled
    command.set_defaults(candidates_of=settings.JOINT_CANDIDATES if apart else settings.SEARCH)
    number = {setting.name: setting for setting in (settings.JOINT_CANDIDATES if apart else ())}
    of_search = [number.get(setting.name, setting) for setting in _for_streams(OF_SEARCH, streams, useless)]
    searching = command.add_argument_group("guidance by search", f"Options of --rule {SEARCH}.")
    add_options(searching, of_search, optional=True)
    moving = command.add_argument_group(
        "guidance by gradients", f"Options of {' and '.join(GRADIENT_RULES)}, as --rule or --then."
    )
    add_options(moving, _for_streams(OF_GRADIENT, streams, useless), optional=True)


def _add_tuned_prompts(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--tuned-prompt",
        metavar="FILE",
        help="Start from a prompt embedding that --save-prompt wrote, instead of the prompt's own.",
    )
    group.add_argument("--save-prompt", metavar="FILE.safetensors", help="Also write the tuned prompt embedding.")


def _for_streams(several: Iterable[Setting], streams: Sequence[str], useless: Collection[str]) -> list[Setting]:
    """Leave out the settings of other streams and those of these names."""
    others = {"audio", "video"}.difference(streams)
    return [each for each in several if each.name.partition("_")[0] not in others and each.name not in useless]
