"""Steer a pipeline of diffusers: the seed whose result fits the conditions best, and that result."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from typing import Any

import torch

from .. import settings
from ..binders.base import Binder
from ..binders.several import Several, members_of
from ..conditions.condition import Condition
from ..errors import AlignerError
from ..guidance.choosing import Take
from ..guidance.rehearsal import Rehearsed, RehearsedOutcome, choices_of, rehearse, require_choice
from ..guidance.rule import Rule
from ..guidance.search import Search
from ..plan import objective_of, require_batch, require_conditions, require_seeds
from .player import PipelinePlayer
from .signals import fps_of

#: The default search.
SEARCH = Search()

#: How calls name the number of results for one prompt.
_RESULTS = re.compile("num_.+_per_prompt")


@dataclass(frozen=True)
class Steered:
    """What steering found.

    output: what the pipeline returned. seed: of this result; the same call without steering, with
    `generator=torch.Generator("cpu").manual_seed(seed)`, returns it again after `torch.manual_seed(seed)`: some
    pipelines draw the noise of a stochastic scheduler from torch's global generator. rehearsed: every candidate as it
    was judged, when, and which was chosen. evaluations: how often a denoising network was called.
    """

    output: Any
    seed: int
    rehearsed: Rehearsed
    evaluations: int


def steer(
    pipeline: Any,
    call: Mapping[str, Any],
    *,
    seed: int,
    binder: Binder | Several,
    conditions: Sequence[Condition],
    search: Search = SEARCH,
    pair_weight: float = settings.PAIR_WEIGHT.default,
    fps: float | Fraction | None = None,
    sample_rate: int | None = None,
    on_take: Callable[[int, Take], None] = lambda candidate, take: None,
) -> Steered:
    """Call a pipeline of diffusers with the seed, counted up from `seed`, whose result fits the conditions best.

    call: the arguments of the pipeline, all but its generator. Its callbacks are called for every candidate, and
    whatever they raise ends the run. search: how many candidates there are, and when one is chosen. pair_weight: the
    weight of picture against sound where a pipeline makes both. fps: frames per second of a video, where the call does
    not name them. sample_rate: of a sound in Hz, where the pipeline does not know it. on_take: called with every
    candidate that was judged.

    Raises AlignerError before any sampling if conditions, search, call or pipeline do not fit. How long a result is
    becomes known after the first step of the first candidate: a condition that lies outside is refused then.

    >>> call = dict(prompt="birds on a branch", num_inference_steps=30)
    >>> steered = steer(pipeline, call, seed=0, binder=binder, conditions=[audio_condition(binder, waveform, rate)])
    >>> steered.output.images[0]
    """
    # 1. Refuse what cannot work.
    _require_search(search)
    require_batch(require_conditions(conditions, binder), 1)
    _require_free(call)
    _require_numbers(seed, fps, sample_rate)
    require_seeds(seed, max(search.candidates.values(), default=1))
    player = PipelinePlayer(pipeline, call, seed, fps_of(pipeline, call, fps), sample_rate)

    # 2. The first step of the first candidate shows what is made. It is not taken again.
    outcome = _outcome(player.follow(0, 1), binder)
    objective = objective_of(outcome, binder, conditions, search.comparison, pair_weight=pair_weight)
    choices = choices_of(search, player.steps)
    candidates = require_choice(search, objective, choices, player.steps)

    # 3. Rehearse, and play the best to its end.
    rehearsed = rehearse(player, candidates, choices, objective, on_take)
    output = player.finish(rehearsed.chosen)
    return Steered(output, seed + rehearsed.chosen, rehearsed, player.evaluations)


def _outcome(signals: Mapping[str, Any], binder: Binder | Several) -> RehearsedOutcome:
    """What the signals of an estimate show. Picture and sound of a joint pipeline may end at different moments."""
    weights = (
        weight
        for member in members_of(binder)
        for _, part in member.binder.named_children()
        for weight in part.parameters()
    )
    device = next((weight.device for weight in weights), torch.device("cpu"))
    return RehearsedOutcome(tuple(signals), max(Fraction(signal.seconds) for signal in signals.values()), device)


def _require_search(rule: Rule) -> None:
    """Raise AlignerError for a rule that needs a gradient."""
    if not isinstance(rule, Rule):
        raise AlignerError(f"search must be a Search, not {type(rule).__name__}.")
    if not isinstance(rule, Search) or rule.then.guides:
        raise AlignerError(
            "No gradient passes through a pipeline of diffusers. Give a Search that no other rule follows."
        )


def _require_numbers(seed: int, fps: float | Fraction | None, sample_rate: int | None) -> None:
    if not isinstance(seed, int):
        raise AlignerError(f"The seed must be a whole number, not {seed!r}.")
    for name, value in (("frame rate", fps), ("sample rate", sample_rate)):
        if value is not None and not (isinstance(value, Real) and math.isfinite(value) and value > 0):
            raise AlignerError(f"The {name} must be a number above 0, not {value!r}.")


def _require_free(call: Mapping[str, Any]) -> None:
    """Raise AlignerError for arguments that fix what candidates differ in, or that ask for several results."""
    if not isinstance(call, Mapping):
        raise AlignerError(f"call must hold the arguments of the pipeline by name, not {type(call).__name__}.")
    for name in ("generator", "latents"):
        if call.get(name) is not None:
            raise AlignerError(f"Candidates differ in their noise, but the call gives its own {name}. Leave it out.")
    for name, number in call.items():
        if _RESULTS.fullmatch(name) and number not in (None, 1):
            raise AlignerError(f"A seed is chosen for one result, but the call asks for {name}={number}. Leave it out.")
