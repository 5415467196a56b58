"""The plan of a run: what it will compare and do, found out before anything is sampled, and refused there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from .binders.base import CLIPS_AT_ONCE, Binder, Embedding, cannot_embed, in_seconds, require_binder, sampling_of
from .binders.several import Member, Several, members_of
from .conditions.condition import Condition, label_conditions
from .errors import AlignerError
from .generators.base import NO_GRADIENT, BackwardPass, Generator, Outcome
from .guidance.objective import Comparison, Objective
from .guidance.pairs import ONLY, Comparing, Pair, pairs
from .guidance.rule import Rule, Scope, comparison_of
from .guidance.synchrony_term import READING, PlacedOnsets, SynchronyTerm, placed_onsets
from .tensors.precision import full_precision
from .timing.clips import ClipSampling


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    scope: the generator and what each comparison compares. scoring: what the result is scored by; None where there is
    nothing to compare with. total: how many steps will be reported, those of candidates included.
    """

    rule: Rule
    scope: Scope
    scoring: Objective | None
    total: int


def make_plan(
    rule: Rule,
    denoiser: Generator,
    binder: Binder | Several | None = None,
    conditions: Sequence[Condition] = (),
    *,
    pair_weight: float = 1.0,
) -> Plan:
    """Plan a run of `generate` with these arguments.

    Raises AlignerError where the rule would have no effect, there is nothing to compare, a condition was made by
    another binder, or a condition counts nowhere in the result.
    """
    guiding = [each for each in phases(rule) if each.guides]
    objectives = {
        comparison_of(each): objective_of(denoiser, binder, conditions, comparison_of(each), pair_weight=pair_weight)
        for each in guiding
    }
    scope = Scope(denoiser, objectives)
    comparison = comparison_of(rule)
    scoring = objectives.get(comparison)
    if guiding:
        rule.require_effect(denoiser.streams, denoiser.steps)
        rule.require_reach(scope)
    elif comparable(denoiser, binder, conditions, comparison, pair_weight=pair_weight):
        scoring = objective_of(denoiser, binder, conditions, comparison, pair_weight=pair_weight)
    return Plan(rule, scope, scoring and _reading(scoring), rule.passes(scope))


def _reading(objective: Objective) -> Objective:
    """The same that reads the timing of a finished result, whatever it weighs."""
    return replace(objective, term=objective.term and replace(objective.term, weights=READING))


def phases(rule: Rule) -> list[Rule]:
    """A rule and those that follow it."""
    then = getattr(rule, "then", None)
    return [rule] if then is None else [rule, *phases(then)]


def comparable(
    denoiser: Generator,
    binder: Binder | Several | None,
    conditions: Sequence[Condition],
    comparison: Comparison,
    *,
    pair_weight: float = 1.0,
) -> bool:
    """Whether there is anything to compare a result with."""
    if any(condition.weight for condition in _weighted(conditions, comparison).values()):
        return True
    embedded = [[stream for stream in denoiser.streams if each.embeds(stream)] for each in members_of(binder)]
    return bool(pair_weight) and any(len(streams) > 1 for streams in embedded)


def objective_of(
    outcome: Outcome,
    binder: Binder | Several | None,
    conditions: Sequence[Condition],
    comparison: Comparison,
    *,
    pair_weight: float = 1.0,
) -> Objective:
    """What a run compares by one comparison.

    Raises AlignerError if that is nothing, a condition was made by another binder, or a condition counts nowhere in
    the result.
    """
    weighted = _weighted(conditions, comparison)
    targets = {label: condition for label, condition in weighted.items() if condition.weight}
    if not math.isfinite(pair_weight):
        raise AlignerError(f"pair_weight must be a finite number, not {pair_weight}.")
    members = members_of(binder)
    if members:
        _require_made(targets.values(), members)
        _require_embedded(targets.values(), members, outcome)
    # Without a binder, too: what there is to follow is missing first.
    by = [_comparing(each, outcome) for each in members] or ONLY
    compared = pairs(outcome.streams, weighted, pair_weight=pair_weight, by=by)
    if not members:
        raise AlignerError(
            "Conditions need a binder, such as PE-AV or ImageBind, to compare with. Load it and connect it."
        )
    binders = {each.binder.fingerprint: each.binder for each in members}
    samplings = {fingerprint: sampling_of(each, comparison.clips) for fingerprint, each in binders.items()}
    for condition in targets.values():
        if condition.timeline:
            condition.timeline.require_within(float(outcome.seconds))
    spans = {
        (stream, binder): _spans(outcome, stream, sampling)
        for stream in outcome.streams
        for binder, sampling in samplings.items()
    }
    for pair in compared:
        # A stream of an unknown kind shows the times of its clips when it is first compared.
        if pair.timeline and (times := spans[pair.stream, pair.by.fingerprint]):
            pair.strengths_over(times)
    return Objective(
        lambda signal, binder: signal.embed(binders[binder], samplings[binder]),
        {label: _on(outcome.device, condition.target) for label, condition in targets.items()},
        compared,
        comparison.compare,
        _compared_spans(compared, spans),
        SynchronyTerm(comparison.timing_weights, _placed(targets, outcome)),
    )


def _compared_spans(
    compared: Sequence[Pair], spans: Mapping[tuple[str, str], Sequence[tuple[float, float]]]
) -> dict[str, list[tuple[float, float]]]:
    """By stream the times of all clips that some binder compares."""
    found: dict[str, dict[tuple[float, float], None]] = {}
    for pair in compared:
        found.setdefault(pair.stream, {}).update(dict.fromkeys(spans[pair.stream, pair.by.fingerprint]))
    return {stream: list(times) for stream, times in found.items()}


def _comparing(member: Member, outcome: Outcome) -> Comparing:
    """A binder as pairs know it. Raises AlignerError where it embeds nothing that is made."""
    streams = tuple(stream for stream in outcome.streams if member.embeds(stream))
    if not streams:
        raise cannot_embed(member.binder, outcome.streams[0])
    return Comparing(member.binder.fingerprint, member.name, member.weight, streams)


def _require_made(conditions: Iterable[Condition], members: Sequence[Member]) -> None:
    """Raise AlignerError for a condition that none of the binders in use made."""
    named = " and ".join(each.binder.identity for each in members)
    made = {each.binder.fingerprint for each in members}
    require_binder((condition.embedding for condition in conditions), made, f"the {named} in use")


def _require_embedded(conditions: Iterable[Condition], members: Sequence[Member], outcome: Outcome) -> None:
    """Raise AlignerError for a condition whose binder embeds nothing that it steers."""
    known = {each.binder.fingerprint: each for each in members}
    for condition in conditions:
        member = known[condition.embedding.binder]
        steered = [stream for stream in outcome.streams if condition.steers(stream)]
        if steered and not any(map(member.embeds, steered)):
            raise cannot_embed(member.binder, steered[0])


def require_conditions(conditions: Sequence[Condition], binder: Binder | Several) -> list[Condition]:
    """The conditions that count. Raises AlignerError where there is none, and for one of another binder."""
    counting = [condition for condition in conditions if condition.weight]
    if not counting:
        raise AlignerError("There is no condition to follow. Give at least one, with a weight other than 0.")
    _require_made(counting, members_of(binder))
    return counting


def require_batch(conditions: Sequence[Condition], batch: int) -> None:
    """Raise AlignerError for a condition of another batch than the results."""
    for condition in conditions:
        count = len(condition.embedding.clips)
        if count not in (1, batch):
            raise AlignerError(
                f"A condition holds {count} {condition.embedding.modality} embeddings; give 1 or as many as "
                f"variations ({batch})."
            )


def require_seeds(seed: int, batch: int = 1) -> None:
    """Raise AlignerError unless every variation can have a seed, counted up from the first."""
    if batch < 1:
        raise AlignerError(f"At least one variation must be made, not {batch}.")
    if not 0 <= seed <= 2**64 - batch:
        raise AlignerError(f"The seed must be between 0 and {2**64 - batch}, not {seed}.")


def activation_bytes(
    rule: Rule,
    denoiser: Generator,
    binder: Binder | Several | None,
    batch: int,
    besides: Mapping[str, BackwardPass] = NO_GRADIENT,
) -> int:
    """About how many bytes a step of so many samples takes beside the weights, those of the binder included.

    besides: backward passes by stream that the run takes beside those of its rule.
    """
    backward = rule.backward(denoiser.streams)
    both = {stream: passed.together(besides[stream]) for stream, passed in backward.items() if stream in besides}
    footprint = denoiser.footprint(batch, {**besides, **backward, **both})
    embedding = 0
    for member in members_of(binder) if backward else ():
        sampling = sampling_of(member.binder, _moving(rule).comparison.clips)
        for stream, passed in backward.items():
            modality = denoiser.modality(stream)
            if modality in member.binder.parts:
                clips = _clips_at_once(denoiser, modality, sampling)
                embedding += member.binder.activation_bytes(
                    modality, clips, sampling, checkpointing=passed.checkpointing
                )
    # The binder has passed back its gradient before the decoder's largest activations are recomputed.
    return int(footprint.kept + max(footprint.passing, batch * embedding))


def _clips_at_once(denoiser: Generator, modality: str, sampling: ClipSampling) -> int:
    """How many clips of a stream are embedded together. Videos and windowed sounds are embedded a few at a time."""
    if modality == "image":
        return 1
    clips = max(1, len(_spans(denoiser, modality, sampling)))
    return min(clips, CLIPS_AT_ONCE) if modality == "video" or len(denoiser.segments) > 1 else clips


def _moving(rule: Rule) -> Rule:
    """The phase of a rule that needs a gradient: the last."""
    return phases(rule)[-1]


def _placed(targets: Mapping[str, Condition], outcome: Outcome) -> dict[str, PlacedOnsets]:
    """The onsets of the conditions that have some, on the clock of the result."""
    placed = {
        label: placed_onsets(condition, float(outcome.seconds), outcome.device) for label, condition in targets.items()
    }
    return {label: each for label, each in placed.items() if each}


def _weighted(conditions: Sequence[Condition], comparison: Comparison) -> dict[str, Condition]:
    """Label the conditions, multiply the weights of prompts by text_weight, and leave out prompts of weight 0."""
    weighted = {
        label: replace(condition, weight=condition.weight * comparison.text_weight) if condition.prompt else condition
        for label, condition in label_conditions(conditions).items()
    }
    return {label: condition for label, condition in weighted.items() if condition.weight or not condition.prompt}


def _spans(outcome: Outcome, stream: str, sampling: ClipSampling) -> list[tuple[float, float]]:
    """When the clips of a stream will be compared, in seconds; none where that is unknown.

    A vocoder may return a fraction of a latent frame more than asked, which moves them a little.
    """
    cut = {"audio": sampling.audio, "video": sampling.video}.get(stream)
    return list(in_seconds(cut.spans(float(outcome.seconds)))) if cut else []


def _on(device: torch.device, embedding: Embedding) -> Embedding:
    return embedding.mapped(lambda clips: full_precision(clips.detach().to(device)).clone())
