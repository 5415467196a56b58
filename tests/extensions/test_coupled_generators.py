"""A generator of two streams that depend on each other, with prompts and without: every rule steers it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial

import pytest
import torch

import aligner
from aligner.generators.base import BackwardPass
from aligner.plan import activation_bytes
from tests.extensions.colours import Colours
from tests.extensions.diptych import Diptych

WHOLE = aligner.Comparison(clips="whole")
RATES = {"left": 0.5, "right": 0.5}
RULES = {
    "search": aligner.Search(candidates={"left": 6}, comparison=WHOLE),
    "released": aligner.Released(rates=RATES, comparison=WHOLE),
    "paper": aligner.Paper(rates={"left": 30.0, "right": 30.0}, comparison=WHOLE),
    "prompt tuning of one stream": aligner.Released(rates={}, prompt_rates={"left": 0.5}, comparison=WHOLE),
    "prompt of one stream, latent of the other": aligner.Paper(
        rates={"right": 30.0}, prompt_rates={"left": 30.0}, comparison=WHOLE
    ),
}


def _red(rule, *, prompted, generating=aligner.generate):
    """How much redder than green the left picture is."""
    denoiser, binder = Diptych(prompted=prompted), Colours()
    condition = aligner.text_condition(binder, "red")
    result = generating(
        denoiser, denoiser.prompts([""]), seed=3, binder=binder, conditions=[condition], rule=rule, pair_weight=0.0
    )
    red, green, _ = result.signals["left"].pixels.mean(dim=(0, 1, 3, 4))
    return (red - green).item()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_steers_coupled_streams(name):
    assert _red(RULES[name], prompted=True) > _red(aligner.Unguided(WHOLE), prompted=True) + 0.01


@pytest.mark.parametrize("name", ["search", "released", "paper"])
def test_every_rule_steers_a_generator_without_prompts(name):
    assert _red(RULES[name], prompted=False) > _red(aligner.Unguided(WHOLE), prompted=False) + 0.01


@pytest.mark.parametrize(
    "rule",
    [
        aligner.Released,
        aligner.Paper,
        lambda **rates: aligner.Search({}, comparison=WHOLE, then=aligner.Released(**rates)),
    ],
    ids=["released", "paper", "after a search"],
)
@pytest.mark.parametrize("generating", [aligner.generate, partial(aligner.generate_long, seconds=Fraction(1))])
def test_prompts_that_do_not_exist_cannot_be_all_that_moves(rule, generating):
    moving = rule(rates={}, prompt_rates=dict.fromkeys(Diptych.streams, 0.1), comparison=WHOLE)
    with pytest.raises(aligner.AlignerError, match="Guidance moves nothing"):
        _red(moving, prompted=False, generating=generating)


def test_memory_is_counted_where_a_binder_embeds_no_such_modality():
    class Deaf(Colours):
        parts = {"text": "text"}

    denoiser = Diptych(prompted=True)
    bare = activation_bytes(RULES["released"], denoiser, None, 2)
    assert activation_bytes(RULES["released"], denoiser, Deaf(), 2) == bare


def test_memory_is_counted_for_all_backward_passes_of_a_stream():
    """A rule passes back through the decoder, and reconstruction through the network."""

    class Counted(Diptych):
        def footprint(self, batch, backward):
            counted.append(dict(backward))
            return super().footprint(batch, backward)

    counted, besides = [], BackwardPass(True, False, checkpointing=True, through_step=True)
    denoiser = Counted(prompted=True)
    rule = replace(RULES["prompt of one stream, latent of the other"], checkpointing=False)
    activation_bytes(rule, denoiser, None, 1, {"left": besides})
    activation_bytes(RULES["released"], denoiser, None, 1, {"left": besides})
    kept = BackwardPass(True, True, checkpointing=False, through_step=True)
    assert counted[0]["left"] == kept
    assert counted[1]["left"].to_latents and counted[1]["left"].through_step
    assert not counted[1]["right"].to_latents


def test_a_modality_that_a_binder_does_not_embed_is_named():
    from aligner.binders.base import part_name

    with pytest.raises(aligner.AlignerError, match="but no smell"):
        part_name(Colours(), "smell")


class _Comparing:
    """A comparison as another package may write it: neither hashable nor ours."""

    __hash__ = None
    compare, clips, text_weight = "mean", "whole", 1.0
    audio_timing_weight, video_timing_weight = 0.0, 0.0


class Foreign:
    """A rule with the methods of `Rule` that derives from nothing of ours."""

    comparison, guides = _Comparing(), True

    def begin(self, run, latents, prompts):
        return run.state(latents, prompts)

    def step(self, run, state, index):
        state = run.plain_step(state, index)
        alignment = run.objective(self)(run.render(state.clean), index / run.denoiser.steps)
        self.losses = [*getattr(self, "losses", []), alignment.loss.item()]
        return state

    def passes(self, scope):
        return scope.denoiser.steps

    def backward(self, streams):
        return {}

    def savings(self):
        return {}

    def frugal(self):
        return self

    def require_effect(self, streams, steps):
        pass

    def require_reach(self, scope, first=0):
        pass


def test_a_rule_that_derives_from_nothing_of_ours_compares():
    rule = Foreign()
    _red(rule, prompted=True)
    assert len(rule.losses) == 4 and all(0 <= loss <= 4 for loss in rule.losses)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"masks": {"left": torch.ones(1, 1, 1, 3, 4)}}, "mask of left has shape"),
        ({"masks": {"left": torch.full((1, 1, 1, 4, 4), 2.0)}}, "must lie in 0..1"),
        ({"masks": {"left": torch.full((1, 1, 1, 4, 4), float("nan"))}}, "must lie in 0..1"),
        ({"pair_weight": float("nan")}, "pair_weight must be a finite number"),
        ({"prompts": {"left": torch.zeros(1, 3)}}, "no prompt embedding for right"),
        ({"batch": 3}, "holds 2 text embeddings"),
    ],
)
def test_what_does_not_fit_is_refused_before_sampling(arguments, message):
    denoiser, binder = Diptych(prompted=True), Colours()
    steps = []
    given = {
        "prompts": denoiser.prompts([""]),
        "latents": {name: torch.zeros(1, 3, 1, 4, 4) for name in denoiser.streams},
        "conditions": [aligner.Condition(binder.embed_text(["red", "green"]))],
        "batch": 2,
    } | arguments
    with pytest.raises(aligner.AlignerError, match=message):
        aligner.generate(
            denoiser, given.pop("prompts"), seed=0, binder=binder, rule=RULES["search"], on_step=steps.append, **given
        )
    assert steps == []
