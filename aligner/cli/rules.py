"""The rule that the options describe."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from .. import settings
from ..errors import AlignerError
from ..guidance.gradient import RULES as GRADIENTS
from ..guidance.gradient import Gradient
from ..guidance.objective import PUBLISHED, Comparison
from ..guidance.rule import Rule, Unguided
from ..guidance.search import Search, parse_funnel
from ..settings import Setting
from .installed import RULES, installed
from .options import flag
from .rule_options import BUILT_IN, GRADIENT_RULES, OF_ALL, OF_GRADIENT, OF_SEARCH, SEARCH


def rule_of(options: Namespace, streams: Sequence[str]) -> Rule:
    """The rule that steers these streams; with --unguided plain sampling, scored as that rule compares.

    Raises AlignerError for a rule that is not there, an option that the rule does not use, and one that cannot work.
    """
    _refuse_unused(options)
    rule = _chosen(options, streams)
    return Unguided(rule.comparison) if options.unguided else rule


def tuned_streams(rule: Rule, streams: Sequence[str]) -> list[str]:
    """The streams whose prompt embedding the rule moves."""
    return [stream for stream, passed in rule.backward(streams).items() if passed.to_prompt]


def _chosen(options: Namespace, streams: Sequence[str]) -> Rule:
    if options.rule == SEARCH:
        return _search(options, streams)
    if options.rule in GRADIENT_RULES:
        return _gradient(options.rule, options, streams)
    return installed(RULES, options.rule, "--rule", BUILT_IN)()


def _search(options: Namespace, streams: Sequence[str]) -> Search:
    return Search(
        candidates=_by_stream("candidates", options, streams, options.candidates_of),
        at=_value(options, settings.AT),
        audio_shift=_value(options, settings.AUDIO_SHIFT),
        then=_follower(options, streams),
        funnel=parse_funnel(_value(options, settings.FUNNEL)),
        comparison=_comparison(options, Comparison()),
    )


def _follower(options: Namespace, streams: Sequence[str]) -> Rule:
    if not options.then:
        return Unguided()
    if options.then in GRADIENT_RULES:
        return _gradient(options.then, options, streams)
    return installed(RULES, options.then, "--then", GRADIENT_RULES)()


def _gradient(name: str, options: Namespace, streams: Sequence[str]) -> Gradient:
    return GRADIENTS[name](
        rates=_by_stream("rate", options, streams, settings.GRADIENT),
        prompt_rates=_by_stream("prompt_rate", options, streams, settings.GRADIENT),
        inner_steps=_value(options, settings.INNER_STEPS),
        start=_value(options, settings.START),
        end=_value(options, settings.END),
        checkpointing=_value(options, settings.CHECKPOINTING),
        comparison=_comparison(options, PUBLISHED),
    )


def _comparison(options: Namespace, own: Comparison) -> Comparison:
    """A rule's own comparison, changed by the options that are given."""
    return replace(
        own, **{setting.name: getattr(options, setting.name) for setting in OF_ALL if _given(options, setting)}
    )


def _by_stream(suffix: str, options: Namespace, streams: Sequence[str], several: Iterable[Setting]) -> dict[str, Any]:
    """The values of <stream>_<suffix>, by stream, as far as the command has such options."""
    defaults, names = settings.by_stream(suffix, several), {stream: f"{stream}_{suffix}" for stream in streams}
    given = {stream: getattr(options, name) for stream, name in names.items() if hasattr(options, name)}
    return {stream: defaults[stream] if value is None else value for stream, value in given.items()}


def _value(options: Namespace, setting: Setting) -> Any:
    return getattr(options, setting.name) if _given(options, setting) else setting.default


def _given(options: Namespace, setting: Setting) -> bool:
    return getattr(options, setting.name, None) is not None


def _refuse_unused(options: Namespace) -> None:
    """Raise AlignerError for an option that belongs to another rule than the chosen ones."""
    chosen = {options.rule, options.then}
    if options.then and options.rule != SEARCH:
        raise AlignerError(_unused("--then", [SEARCH], options))
    for several, rules in ((OF_SEARCH, [SEARCH]), (OF_GRADIENT, GRADIENT_RULES), (OF_ALL, BUILT_IN)):
        if chosen.isdisjoint(rules):
            for setting in several:
                if _given(options, setting):
                    raise AlignerError(_unused(flag(setting.name), rules, options))


def _unused(option: str, rules: Sequence[str], options: Namespace) -> str:
    owners = f"rule {rules[0]}" if len(rules) == 1 else f"rules {', '.join(rules[:-1])} and {rules[-1]}"
    choose = "--rule or --then" if options.rule == SEARCH else "--rule"
    return (
        f"{option} belongs to the {owners} and has no effect with --rule {options.rule}: leave it out, or choose "
        f"such a rule by {choose}."
    )
