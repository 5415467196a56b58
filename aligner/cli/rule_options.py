"""Options of rules, and which rule each belongs to. `rules` builds the rule that they describe."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence

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


def add_rule_options(command: ArgumentParser, *streams: str, prompts: bool = True) -> None:
    """Add the choice of a rule, and the settings of the rules for these streams.

    prompts: whether the generators have prompts, each its own; else one network makes all streams without any.
    """
    group = command.add_argument_group("guidance")
    group.add_argument(
        "--rule",
        default=SEARCH,
        metavar=f"{{{','.join(BUILT_IN)},NAME}}",
        help="search: try several noises and continue with the one that fits best; nothing is moved. "
        f"{settings.RULE.description} NAME: a rule that another package installs. Default {SEARCH}.",
    )
    group.add_argument(
        "--then",
        metavar=f"{{{','.join(GRADIENT_RULES)},NAME}}",
        help=f"After the search, continue what it chose by this rule. Only with --rule {SEARCH}; without --then "
        "nothing is moved.",
    )
    group.add_argument(
        "--unguided", action="store_true", help="Sample without guidance and only score the result, to compare."
    )
    published_of = dict(zip(settings.COMPARISON, settings.PUBLISHED_COMPARISON))
    for setting in _for_streams(OF_ALL, streams):
        published = published_of[setting]
        own = f"{words(setting.default)} with {SEARCH}, {words(published.default)} with {' and '.join(GRADIENT_RULES)}"
        add_option(group, setting, default=own)
    if prompts:
        _add_tuned_prompts(group)
    else:
        command.set_defaults(tuned_prompt=None, save_prompt=None)
    apart = prompts and len(streams) > 1
    command.set_defaults(candidates_of=settings.JOINT_CANDIDATES if apart else settings.SEARCH)
    number = {setting.name: setting for setting in (settings.JOINT_CANDIDATES if apart else ())}
    of_search = [number.get(setting.name, setting) for setting in _for_streams(OF_SEARCH, streams)]
    searching = command.add_argument_group("guidance by search", f"Options of --rule {SEARCH}.")
    add_options(searching, of_search, optional=True)
    moving = command.add_argument_group(
        "guidance by gradients", f"Options of {' and '.join(GRADIENT_RULES)}, as --rule or --then."
    )
    add_options(moving, _for_streams(OF_GRADIENT, streams), optional=True)


def _add_tuned_prompts(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--tuned-prompt",
        metavar="FILE",
        help="Start from a prompt embedding that --save-prompt wrote, instead of the prompt's own.",
    )
    group.add_argument("--save-prompt", metavar="FILE.safetensors", help="Also write the tuned prompt embedding.")


def _for_streams(several: Iterable[Setting], streams: Sequence[str]) -> list[Setting]:
    """Leave out the settings of other streams."""
    others = {"audio", "video"}.difference(streams)
    return [setting for setting in several if setting.name.partition("_")[0] not in others]
