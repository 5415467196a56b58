"""A plan refuses what cannot work before anything is sampled."""

from dataclasses import replace

import pytest
import torch

from aligner.binders.base import sampling_of
from aligner.conditions.condition import Condition
from aligner.conditions.encoding import prompt_conditions
from aligner.conditions.encoding import text_condition as encoded
from aligner.conditions.timeline import Timeline
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.joint import JointDenoiser
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.objective import PUBLISHED, Comparison
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search
from aligner.plan import _spans, activation_bytes, make_plan, objective_of, phases
from aligner.timing.clips import CLIP_SAMPLINGS
from aligner.timing.curves import parse_curve
from aligner.timing.intervals import Interval

PROMPT, SECONDS = "a dog barks", 1.2


@pytest.fixture
def denoiser(audioldm):
    return audioldm.denoiser(seconds=SECONDS, steps=6, cfg=2.5)


@pytest.fixture
def prompts(denoiser):
    return denoiser.prompts([PROMPT])


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch": 0}, "variation"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64 - 1, "batch": 2}, "seed"),
        ({"rule": Search()}, "no condition"),
        ({"rule": Released()}, "no condition"),
        ({"latents": {"video": torch.zeros(1)}}, "no stream 'video'"),
        ({"latents": {"audio": torch.zeros(1, 8, 7, 16)}}, "shape"),
        ({"masks": {"audio": torch.zeros(1, 1, 8, 1)}}, "no audio latent is connected"),
    ],
)
def test_bad_requests_name_themselves_before_sampling(audioldm, denoiser, prompts, binder, arguments, message):
    calls = []
    handle = audioldm.unet.register_forward_hook(lambda *_: calls.append(1))
    try:
        with pytest.raises(AlignerError, match=message):
            generate(denoiser, prompts, **{"seed": 0, "binder": binder, "rule": Unguided()} | arguments)
    finally:
        handle.remove()
    assert not calls


@pytest.mark.parametrize(
    "rule, message",
    [
        (Released(start=0.99), "holds none of the 6 steps"),
        (Released(rates={"audio": 0.0}), "moves nothing"),
        (Search(candidates={"audio": 1}), "nothing to choose from"),
        (Search(then=Released(start=0.99)), "holds none of the 6 steps"),
        (Search(then=Released(rates={"audio": 0.0})), "moves nothing"),
    ],
)
def test_guidance_without_effect_is_an_error_before_sampling(denoiser, binder, text_condition, rule, message):
    with pytest.raises(AlignerError, match=message):
        make_plan(rule, denoiser, binder, [text_condition])


def _scheduled(condition, schedule):
    return Condition(condition.embedding, timeline=Timeline(schedule=parse_curve(schedule)))


@pytest.mark.parametrize(
    "schedule, rule",
    [
        ("0: 1, 0.1: 0", Released(start=0.2)),
        ("0.6: 0, 0.61: 1", Released(start=0.0, end=0.6)),
        ("0: 1, 0.4: 0", Search(candidates={"audio": 2}, at=0.34, then=Released(start=0.4), comparison=PUBLISHED)),
    ],
)
def test_a_schedule_that_is_0_while_latents_move_is_an_error(denoiser, prompts, binder, text_condition, schedule, rule):
    faded, always = _scheduled(text_condition, schedule), text_condition
    with pytest.raises(AlignerError, match="moves nothing.* the schedules of all conditions are 0"):
        make_plan(rule, denoiser, binder, [faded])
    assert generate(denoiser, prompts, seed=5, rule=rule, binder=binder, conditions=[faded, always]).score
    assert generate(denoiser, prompts, seed=5, rule=Unguided(), binder=binder, conditions=[faded]).score


def test_a_schedule_that_is_0_at_the_choice_is_an_error(denoiser, binder, text_condition):
    late = _scheduled(text_condition, "0.5: 0, 0.6: 1")
    with pytest.raises(AlignerError, match="chooses after 33% of denoising, but there the schedules .* are 0"):
        make_plan(Search(at=0.4), denoiser, binder, [late])
    make_plan(Search(at=0.9), denoiser, binder, [late])


@pytest.mark.parametrize("rule", [Unguided, Released, Search])
def test_a_condition_between_the_clips_is_an_error_before_sampling(audioldm, binder, text_condition, rule):
    """ImageBind's own sampling of 10 s hears 0 to 2, 4 to 6 and 8 to 10."""
    denoiser = audioldm.denoiser(seconds=10, steps=6)
    between = Condition(text_condition.embedding, timeline=Timeline(target=Interval(2.1, 3.9)))
    with pytest.raises(AlignerError, match="'text' steers 2.1 s to 3.9 s.* Choose clips short or seconds"):
        make_plan(rule(comparison=replace(PUBLISHED, clips="spread")), denoiser, binder, [between])
    for clips in ("short", "seconds"):
        make_plan(rule(comparison=replace(PUBLISHED, clips=clips)), denoiser, binder, [between])


def test_the_comparison_of_every_phase_is_checked(audioldm, binder, text_condition):
    denoiser = audioldm.denoiser(seconds=10, steps=6)
    between = Condition(text_condition.embedding, timeline=Timeline(target=Interval(2.1, 3.9)))
    with pytest.raises(AlignerError, match="Choose clips short or seconds"):
        rule = Search(then=Released(comparison=replace(PUBLISHED, clips="spread")))
        make_plan(rule, denoiser, binder, [between])


def test_clips_that_the_binder_does_not_know_are_an_error(denoiser, binder, text_condition):
    with pytest.raises(AlignerError, match="ImageBind does not know the clips 'all'. Choose one of: seconds, spread"):
        make_plan(Search(comparison=Comparison(clips="all")), denoiser, binder, [text_condition])


def test_conditions_without_a_binder_are_an_error(denoiser, prompts, text_condition):
    with pytest.raises(AlignerError, match="ImageBind"):
        generate(denoiser, prompts, seed=0, rule=Unguided(), conditions=[text_condition])


# --- what a plan holds ----------------------------------------------------------------------------------------------


def test_a_plan_counts_the_steps_of_all_candidates(denoiser, binder, text_condition):
    def total(rule):
        return make_plan(rule, denoiser, binder, [text_condition]).total

    assert total(Unguided()) == total(Released()) == total(Search(candidates={"audio": 1}, then=Released())) == 6
    assert total(Search(candidates={"audio": 3}, at=0.34)) == 6 + 2 * 2


def test_a_plan_has_one_objective_for_each_comparison(denoiser, binder, text_condition):
    rule = Search(then=Released())
    plan = make_plan(rule, denoiser, binder, [text_condition])
    assert phases(rule) == [rule, rule.then]
    assert set(plan.scope.objectives) == {Comparison(), PUBLISHED}
    chosen_by, moved_by = (plan.scope.objective(phase) for phase in (rule, rule.then))
    # A finished result is scored alike, and its timing is read whatever it weighs.
    assert replace(plan.scoring, term=chosen_by.term) == chosen_by
    assert plan.scoring.term.weights == {"audio": 1.0, "video": 1.0}
    assert (chosen_by.compare, len(chosen_by.spans["audio"])) == ("per_clip", 3)
    assert (moved_by.compare, len(moved_by.spans["audio"])) == ("mean", 2)


def test_a_rule_that_compares_nothing_has_no_objective(denoiser, binder, text_condition):
    plan = make_plan(Unguided(), denoiser, binder, [text_condition])
    assert not plan.scope.objectives and plan.scoring
    with pytest.raises(AlignerError, match="Released needs a binder and conditions"):
        plan.scope.objective(Released())


@pytest.mark.parametrize("clips", list(CLIP_SAMPLINGS))
def test_a_plan_knows_beforehand_which_clips_are_compared(audioldm, animatediff, binder, clips):
    """But for the fraction of a latent frame that a sound is longer than asked for."""
    denoisers = [
        audioldm.denoiser(seconds=3.3, steps=1),
        animatediff.denoiser(frames=10, height=16, width=16, fps=3, steps=1),
    ]
    for denoiser in denoisers:
        (stream,), sampling = denoiser.streams, sampling_of(binder, clips)
        with torch.no_grad():
            seen = denoiser.render({stream: torch.zeros(1, *denoiser.shape)})[stream].embed(binder, sampling)
        assert _spans(denoiser, stream, sampling) == [pytest.approx(span, abs=0.05) for span in seen.spans]


# --- prompts as targets ---------------------------------------------------------------------------------------------


def test_the_text_weight_multiplies_the_weight_of_prompts_only(denoiser, binder):
    prompt, text = replace(encoded(binder, "a dog", 0.5), prompt=True), encoded(binder, "rain", 3.0)

    def weights(text_weight):
        comparison = Comparison(text_weight=text_weight)
        return {pair.target: pair.weight for pair in objective_of(denoiser, binder, [prompt, text], comparison).pairs}

    assert weights(1.0) == {"text 2": 0.5, "text": 3.0}
    assert weights(-2.0) == {"text 2": -1.0, "text": 3.0}


def test_a_prompt_without_weight_takes_no_label(denoiser, binder):
    conditions = [*prompt_conditions(binder, {"audio": "a dog"}), encoded(binder, "rain")]
    objective = objective_of(denoiser, binder, conditions, Comparison(text_weight=0.0))
    assert [pair.label for pair in objective.pairs] == ["audio ~ text"]
    assert torch.equal(objective.conditions["text"].clips, conditions[1].embedding.clips)


def test_a_prompt_alone_is_no_target_of_the_search_by_default(denoiser, binder):
    prompt = prompt_conditions(binder, {"audio": "a dog"})
    with pytest.raises(AlignerError, match="no conditions.* give the prompt a text_weight"):
        make_plan(Search(), denoiser, binder, prompt)
    assert make_plan(Unguided(), denoiser, binder, prompt).scoring.pairs
    assert make_plan(Unguided(Comparison()), denoiser, binder, prompt).scoring is None


# --- memory ---------------------------------------------------------------------------------------------------------


def test_memory_estimates_keep_their_order(audioldm, binder):
    denoiser = audioldm.denoiser(seconds=10, steps=2)
    plain, recomputed, guided, tuned, through_the_network = (
        activation_bytes(rule, denoiser, binder, 2)
        for rule in (
            Unguided(),
            Released(prompt_rates={}),
            Released(prompt_rates={}, checkpointing=False),
            Released(prompt_rates={"audio": 0.1}, checkpointing=False),
            Paper(prompt_rates={}, checkpointing=False),
        )
    )
    assert 0 < plain < recomputed < guided < tuned == through_the_network
    assert activation_bytes(Unguided(), denoiser, binder, 4) == 2 * plain
    assert activation_bytes(Search(), denoiser, binder, 2) == plain
    assert activation_bytes(Search(then=Released()), denoiser, binder, 2) == recomputed


def test_long_sounds_in_windows_are_compared_a_few_clips_at_a_time(audioldm, binder):
    windowed, whole = (audioldm.denoiser(seconds=60, steps=2, window_seconds=window) for window in (10.0, 0.0))
    assert activation_bytes(Released(), windowed, binder, 1) < activation_bytes(Released(), whole, binder, 1)


def test_memory_of_streams_side_by_side_adds_up(audioldm, animatediff, binder):
    video = animatediff.denoiser(frames=8, fps=4, height=64, width=64, steps=2)
    sound = audioldm.denoiser(seconds=video.seconds, steps=2)
    both, *alone = (
        activation_bytes(Released(), denoiser, binder, 1) for denoiser in (JointDenoiser([video, sound]), video, sound)
    )
    assert max(alone) < both <= sum(alone)


def test_a_condition_keeps_its_label_whatever_the_prompt_weighs(denoiser, binder):
    """A search may leave prompts aside that the rule after it compares: their curves must not mix."""
    prompt, text = replace(encoded(binder, "a dog", 1.0), prompt=True), encoded(binder, "rain", 1.0)
    for text_weight in (0.0, 1.0):
        objective = objective_of(denoiser, binder, [prompt, text], Comparison(text_weight=text_weight))
        assert torch.equal(objective.conditions["text"].clips, text.embedding.clips)
