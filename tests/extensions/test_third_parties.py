"""Open to third parties: a generator, a binder and a rule from outside, one file each, work with everything else."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest
import torch

import aligner
from aligner.binders.base import Binder
from aligner.generators.base import Generator
from aligner.plan import activation_bytes, objective_of
from tests.extensions.colours import Colours
from tests.extensions.mosaic import Mosaic
from tests.extensions.resampling import Resampling

WHOLE = aligner.Comparison(clips="whole")
RED = torch.tensor([1.0, 0.0, 0.0])


@pytest.fixture
def mosaic():
    return Mosaic()


@pytest.fixture
def colours():
    return Colours()


def _generated(generator, binder, text, rule, seed=0, prompt="", **arguments):
    return aligner.generate(
        generator,
        generator.prompts([prompt]),
        seed=seed,
        binder=binder,
        conditions=[aligner.text_condition(binder, text)],
        rule=rule,
        **arguments,
    )


def _members(protocol):
    """The public attributes and methods of a protocol and of those that it derives from."""
    for base in protocol.__mro__[:-1]:
        yield from (name for name in (*inspect.get_annotations(base), *base.__dict__) if name[0] != "_")


@pytest.mark.parametrize("protocol, toy", [(Generator, Mosaic()), (Binder, Colours())])
def test_the_toys_derive_from_nothing_and_meet_the_protocols(protocol, toy):
    assert type(toy).__bases__ == (object,)
    members = set(_members(protocol))
    assert len(members) > 10
    for name in members:
        wanted = getattr(protocol, name, None)
        assert hasattr(toy, name), name
        if inspect.isfunction(wanted):
            assert list(inspect.signature(getattr(type(toy), name)).parameters) == list(
                inspect.signature(wanted).parameters
            ), name


# --- a generator ----------------------------------------------------------------------------------------------------


def _rules(comparison):
    released = aligner.Released(rates={"picture": 0.3}, start=0.0, comparison=comparison)
    paper = aligner.Paper(rates={"picture": 30.0}, start=0.0, comparison=comparison)
    search = aligner.Search(candidates={"picture": 8}, comparison=comparison)
    return {"search": search, "released": released, "paper": paper, "both": replace(search, then=released)}


@pytest.mark.parametrize("name", ["search", "released", "paper", "both"])
def test_every_rule_guides_another_generator_by_imagebind(mosaic, binder, name):
    comparison = aligner.Comparison()
    rule = _rules(comparison)[name]
    unguided, guided = (
        _generated(mosaic, binder, "a dog barks", each, batch=3) for each in (aligner.Unguided(comparison), rule)
    )
    assert guided.signals["picture"].pixels.shape == (3, 1, 3, 8, 8)
    assert guided.score.mean() > unguided.score.mean() + 1e-4 and list(guided.scores) == ["picture ~ text"]


@pytest.mark.parametrize("name", ["search", "released", "paper", "both"])
def test_what_another_generator_makes_has_the_colour_that_another_binder_asks_for(mosaic, colours, name):
    unguided, guided = (
        _generated(mosaic, colours, "red", each).signals["picture"].pixels.mean(dim=(0, 1, 3, 4))
        for each in (aligner.Unguided(WHOLE), _rules(WHOLE)[name])
    )
    assert torch.cosine_similarity(guided, RED, dim=0) > torch.cosine_similarity(unguided, RED, dim=0) + 0.01


def test_the_prompt_of_another_generator_can_be_tuned(mosaic, colours):
    rule = aligner.Released(rates={}, prompt_rates={"picture": 0.3}, start=0.0, comparison=WHOLE)
    unguided, tuned = (_generated(mosaic, colours, "red", each) for each in (aligner.Unguided(WHOLE), rule))
    assert tuned.score > unguided.score and not torch.equal(tuned.prompts["picture"], unguided.prompts["picture"])


def test_another_generator_keeps_what_a_mask_keeps(mosaic, colours):
    mask = torch.ones(1, 1, 1, 8, 8)
    mask[..., :4] = 0
    kept = torch.randn(1, 3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    result = _generated(
        mosaic, colours, "red", _rules(WHOLE)["both"], latents={"picture": kept}, masks={"picture": mask}
    )
    made = result.latents["picture"]
    assert torch.equal(made[..., :4], kept[..., :4]) and not torch.equal(made[..., 4:], kept[..., 4:])


def test_another_generator_steps_beside_our_own(mosaic, audioldm, binder):
    both, steps = aligner.JointDenoiser([mosaic, audioldm.denoiser(seconds=1, steps=4)]), []
    rule = aligner.Search(candidates={"picture": 3, "audio": 2})
    result = aligner.generate(both, both.prompts(["rain"]), seed=0, binder=binder, rule=rule, on_step=steps.append)
    (choice,) = [step for step in steps if step.tried]
    assert list(result.scores) == ["picture ~ generated audio"] and len(choice.tried) == 3 * 2
    assert choice.alignment.loss == choice.tried[choice.chosen].alignment.loss
    assert set(result.signals) == {"picture", "audio"}


def test_a_search_that_names_no_stream_of_another_generator_says_so(mosaic, binder):
    with pytest.raises(aligner.AlignerError, match="one candidate for picture"):
        _generated(mosaic, binder, "a dog barks", aligner.Search())


# --- a binder -------------------------------------------------------------------------------------------------------


def test_a_search_by_another_binder_picks_the_better_noise(audioldm, colours):
    """Four noises, each followed by itself: the search goes on with the one whose sound is the reddest half-way."""
    denoiser, condition = audioldm.denoiser(seconds=0.6, steps=4), aligner.text_condition(Colours(), "red")
    prompts, seen = denoiser.prompts(["rain"]), []
    rule = aligner.Search(candidates={"audio": 4}, at=0.5, comparison=WHOLE)
    result = aligner.generate(
        denoiser, prompts, seed=3, rule=rule, binder=colours, conditions=[condition], on_step=seen.append
    )
    objective = objective_of(denoiser, colours, [condition], WHOLE)
    with torch.no_grad():
        half_way = [step.clean for step in seen if step.index == 1 and not step.tried]
        losses = [objective(denoiser.render(clean)).loss.item() for clean in half_way]
    assert len(set(losses)) == 4 and min(losses) < losses[0], "the first noise must not be the best one"
    generator = torch.Generator().manual_seed(3)
    noises = [denoiser.start([generator]) for _ in range(4)]
    z = noises[losses.index(min(losses))]
    with torch.no_grad():
        for index in range(4):
            z = denoiser.step(z, denoiser.predict(z, prompts, index), index)
    torch.testing.assert_close(result.latents["audio"], z["audio"], atol=1e-5, rtol=0)


def test_gradients_pass_through_another_binder(audioldm, colours):
    denoiser = audioldm.denoiser(seconds=0.6, steps=4)
    rule = aligner.Released(start=0.0, comparison=WHOLE)
    unguided, guided = (_generated(denoiser, colours, "blue", each) for each in (aligner.Unguided(WHOLE), rule))
    assert guided.score > unguided.score + 1e-3


def test_frames_are_guided_by_another_binder(animatediff, colours):
    denoiser = animatediff.denoiser(frames=4, height=32, width=32, fps=4, steps=4)
    rule = aligner.Released(rates={"video": 0.1}, start=0.0, comparison=WHOLE)
    unguided, guided = (_generated(denoiser, colours, "green", each) for each in (aligner.Unguided(WHOLE), rule))
    assert guided.score > unguided.score


def test_conditions_of_one_binder_are_refused_by_another(mosaic, binder, colours):
    with pytest.raises(aligner.AlignerError, match="another binder than the Colours in use"):
        aligner.generate(
            mosaic,
            mosaic.prompts([""]),
            seed=0,
            rule=aligner.Unguided(WHOLE),
            binder=colours,
            conditions=[aligner.text_condition(binder, "red")],
        )


def test_clips_that_another_binder_does_not_know_are_refused(mosaic, colours):
    with pytest.raises(aligner.AlignerError, match="Colours does not know the clips 'short'. Choose one of: whole"):
        _generated(mosaic, colours, "red", aligner.Unguided(aligner.Comparison()))


def test_conditions_of_another_binder_are_encoded_scored_blended_and_saved(colours, tmp_path):
    red, blue = (aligner.text_condition(colours, word) for word in ("red", "blue"))
    picture = aligner.image_condition(colours, RED.view(3, 1, 1).expand(3, 4, 4))
    sound = aligner.audio_condition(colours, torch.randn(2, 16000), 16000, clips="whole")
    video = aligner.frames_condition(colours, RED.view(1, 3, 1, 1).expand(4, 3, 4, 4), 4, clips="whole")
    cosines = aligner.score([picture], [red, blue]).cosines
    assert cosines == {"image ~ text": pytest.approx(1.0), "image ~ text 2": pytest.approx(0.0, abs=1e-6)}
    assert aligner.score([video], [red]).overall == pytest.approx(1.0)
    assert aligner.blended([red, blue]).embedding.clips.flatten().tolist() == pytest.approx([0.5, 0.0, 0.5])
    aligner.save_conditions(tmp_path / "colours.safetensors", [red, sound])
    loaded = aligner.load_conditions(tmp_path / "colours.safetensors")
    assert [each.embedding.binder for each in loaded] == ["three colours"] * 2


def test_a_mask_paints_the_colour_that_tells_another_binder_nothing(colours):
    picture, mask = RED.view(3, 1, 1).expand(3, 4, 4), torch.zeros(1, 4, 4)
    mask[..., :2] = 1
    shown = aligner.image_condition(colours, picture, mask=mask).embedding.clips.flatten()
    assert shown.tolist() == pytest.approx([0.75, 0.25, 0.25])


def test_memory_of_another_generator_and_binder_is_counted(mosaic, colours):
    unguided, guided = (
        activation_bytes(rule, mosaic, colours, 2) for rule in (aligner.Unguided(WHOLE), _rules(WHOLE)["released"])
    )
    assert 0 < unguided <= guided


# --- a rule ---------------------------------------------------------------------------------------------------------


def test_another_rule_chooses_twice_and_beats_unguided(mosaic, colours):
    rule, steps = Resampling(comparison=WHOLE), []
    unguided = _generated(mosaic, colours, "red", aligner.Unguided(WHOLE), batch=4)
    guided = _generated(mosaic, colours, "red", rule, batch=4, on_step=steps.append)
    assert (guided.score >= unguided.score).all() and guided.score.mean() > unguided.score.mean() + 0.01
    assert [step.index + 1 for step in steps if step.tried] == rule.choices(5) == [1, 3]
    assert [step for step, _ in guided.curves["picture ~ text"]] == [1, 3, 5]
    assert len(guided.tried["picture ~ text"]) == 2 * 4


def test_another_rule_searches_further_than_a_single_choice(mosaic, colours):
    """The second choice is among latents near the first: as many noises, and a better result on average."""
    once, twice = (
        _generated(mosaic, colours, "red", rule, batch=16).score.mean()
        for rule in (Resampling(moments=(0.2,), comparison=WHOLE), Resampling(moments=(0.2, 0.6), comparison=WHOLE))
    )
    assert twice > once


def test_another_rule_guides_our_own_generator(audioldm, binder, text_condition):
    denoiser, steps = audioldm.denoiser(seconds=0.6, steps=5), []
    unguided, guided = (
        aligner.generate(
            denoiser,
            denoiser.prompts(["a dog"]),
            seed=0,
            batch=3,
            rule=rule,
            binder=binder,
            conditions=[text_condition],
            on_step=steps.append,
        )
        for rule in (aligner.Unguided(aligner.Comparison()), Resampling())
    )
    assert guided.score.mean() > unguided.score.mean()
    passed = [step.passed for step in steps[denoiser.steps :]]
    assert passed == sorted(passed) and passed[-1] == 1, "the plan counted the steps of all candidates"


def test_another_rule_follows_a_search(mosaic, colours):
    rule = aligner.Search(candidates={"picture": 4}, at=0.2, then=Tinting(), comparison=WHOLE)
    searched, tinted = (
        _generated(mosaic, colours, "red", each).signals["picture"].pixels.mean(dim=(0, 1, 3, 4))
        for each in (replace(rule, then=aligner.Unguided()), rule)
    )
    assert tinted[0] > searched[0] + 0.1


class Tinting(aligner.Rule):
    """Adds red to the latents at every step; the least that a rule can be."""

    @property
    def guides(self):
        return False

    def step(self, run, state, index):
        state = run.plain_step(state, index)
        return replace(state, latents={name: z + 0.3 * RED.view(3, 1, 1, 1) for name, z in state.latents.items()})


def test_another_rule_is_refused_before_sampling_where_it_has_no_effect(mosaic, colours):
    steps = []
    with pytest.raises(aligner.AlignerError, match="needs several candidates"):
        _generated(mosaic, colours, "red", Resampling(candidates=1, comparison=WHOLE), on_step=steps.append)
    assert not steps
