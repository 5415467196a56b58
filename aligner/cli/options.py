"""Options made from settings. Names, types, choices, ranges, defaults and help come from `aligner.settings`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from ..errors import AlignerError
from ..settings import Setting

#: What stands for the value in the help, by its type.
_METAVARS = {int: "N", float: "X", str: "TEXT"}


def flag(name: str) -> str:
    """The option of a setting's name: --text-weight for text_weight."""
    return "--" + name.replace("_", "-")


def add_option(
    group: argparse._ActionsContainer, setting: Setting, *, optional: bool = False, default: str = ""
) -> None:
    """Add the option of a setting to a command or one of its groups.

    optional: parse to None where the option is not given, so that this can be told from the default. default: the
    default in words, where it depends on other options; such an option is optional.
    """
    common: dict[str, Any] = {
        "default": None if optional or default else setting.default,
        "help": _help(setting, default or words(setting.default)),
    }
    if isinstance(setting.default, bool):
        group.add_argument(flag(setting.name), action=argparse.BooleanOptionalAction, **common)
    elif setting.choices:
        group.add_argument(flag(setting.name), choices=setting.choices, **common)
    else:
        kind = type(setting.default)
        group.add_argument(
            flag(setting.name), action=_InRange, setting=setting, type=kind, metavar=_METAVARS[kind], **common
        )


def add_options(group: argparse._ActionsContainer, settings: Iterable[Setting], *, optional: bool = False) -> None:
    """Add the options of several settings, in this order."""
    for setting in settings:
        add_option(group, setting, optional=optional)


class _InRange(argparse.Action):
    """Stores a value; raises AlignerError for one outside the setting's range."""

    def __init__(self, *arguments: Any, setting: Setting, **others: Any):
        super().__init__(*arguments, **others)
        self.setting = setting

    def __call__(self, parser, namespace, values, option_string=None):
        low, high = self.setting.low, self.setting.high
        # Written so that NaN, which is in no range, is refused.
        if low is not None and high is not None and not low <= values <= high:
            raise AlignerError(
                f"{flag(self.setting.name)} must be between {words(low)} and {words(high)}{_unit(self.setting)}, "
                f"not {words(values)}."
            )
        setattr(namespace, self.dest, values)


def _help(setting: Setting, default: str) -> str:
    """The setting's description, range and default."""
    facts = []
    if setting.low is not None and setting.high is not None:
        facts.append(f"range {words(setting.low)} to {words(setting.high)}{_unit(setting)}")
    if default:
        facts.append(f"default {default}")
    range_and_default = ", ".join(facts)
    ending = f" {range_and_default[0].upper()}{range_and_default[1:]}." if facts else ""
    return f"{setting.description}{ending}".replace("%", "%%")  # argparse formats help by %


def _unit(setting: Setting) -> str:
    return f" {setting.unit}" if setting.unit else ""


def words(value: Any) -> str:
    """A value as people write it: 2 for 2.0, on for True."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
