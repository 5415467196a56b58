"""MM-Diffusion in the guided loop."""

from dataclasses import replace

import pytest
import torch

from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.inpainting import Inpainting
from aligner.generators.mm_diffusion import MMDiffusion
from aligner.generators.mm_diffusion.dpm_solver import DPMSolver
from aligner.generators.mm_diffusion.generator import SAMPLERS
from aligner.generators.reconstruction import Reconstruction, following
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search

from .conftest import SMALL, random_network

STEPS = 6


def made(model, binder=None, *, seed=0, batch=1, rule=None, sampler="dpm-solver-clean", **options):
    denoiser = model.denoiser(steps=STEPS, sampler=sampler)
    return generate(denoiser, {}, seed=seed, batch=batch, rule=rule or Unguided(), binder=binder, **options)


def given(stream, seed=9):
    shapes = {"video": (1, 3, 8, 16, 16), "audio": (1, 1, 12_800)}
    return {stream: torch.randn(shapes[stream], generator=torch.Generator().manual_seed(seed)).tanh()}


def mask(stream):
    return {stream: torch.zeros(1, *[1] * (4 if stream == "video" else 2))}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_seed_makes_the_same_alone_and_in_a_batch(model, sampler):
    batch, alone = made(model, batch=3, sampler=sampler), made(model, seed=2, sampler=sampler)
    for stream in ("video", "audio"):
        torch.testing.assert_close(batch.latents[stream][2:], alone.latents[stream], rtol=1e-4, atol=1e-4)
        assert torch.equal(made(model, seed=2, sampler=sampler).latents[stream], alone.latents[stream])


def test_results_are_pixels_and_samples(model):
    result = made(model)
    frames, sound = result.signals["video"], result.signals["audio"]
    assert frames.pixels.shape == (1, 8, 3, 16, 16) and frames.fps == 10
    assert frames.pixels.min() >= 0 and frames.pixels.max() <= 1
    assert sound.waveform.shape == (1, 12_800) and sound.sample_rate == 16_000


def test_evaluations_are_shared_by_steps(model):
    """DPM-Solver takes three in a step, and what remains in shorter ones. Cleaning belongs to the last step."""
    counts = {count: model.denoiser(steps=count, sampler="dpm-solver").steps for count in (1, 2, 3, 4, 5, 6, 20)}
    assert counts == {1: 1, 2: 1, 3: 2, 4: 2, 5: 2, 6: 3, 20: 7}
    assert {count: model.denoiser(steps=count).steps for count in (2, 3, 4, 5, 20)} == {2: 1, 3: 1, 4: 2, 5: 2, 20: 7}
    assert model.denoiser(steps=20, sampler="ddim").steps == 20
    assert model.denoiser(steps=20, sampler="dpm-solver", denoise=0.5).steps == 4


@pytest.mark.parametrize("count", [2, 3, 20])
def test_a_sampler_evaluates_the_network_as_often_as_asked(model, monkeypatch, count):
    for sampler in SAMPLERS:
        denoiser, evaluated = model.denoiser(steps=count, sampler=sampler), []
        noise = denoiser._noise
        monkeypatch.setattr(denoiser, "_noise", lambda *each, noise=noise: evaluated.append(each) or noise(*each))
        generate(denoiser, {}, seed=0, rule=Unguided())
        assert len(evaluated) == count, sampler


def test_cleaning_ends_where_no_noise_is_left(model):
    """A network that knows the noise leaves nothing but what is clean."""
    clean, noise = given("audio") | given("video"), given("audio", 1) | given("video", 2)
    knowing = MMDiffusion(random_network())
    knowing.unet.forward = lambda video, audio, timesteps, shifts: (noise["video"], noise["audio"])
    left = {}
    for sampler in ("dpm-solver", "dpm-solver-clean"):
        denoiser = knowing.denoiser(steps=STEPS, sampler=sampler)
        latents = denoiser.noised(clean, noise, 0)
        for index in range(denoiser.steps):
            latents = denoiser.step(latents, denoiser.predict(latents, {}, index), index)
        left[sampler] = {name: (latents[name] - clean[name]).square().mean().sqrt().item() for name in clean}
    for name, each in noise.items():
        level = each.square().mean().sqrt().item()
        assert left["dpm-solver"][name] == pytest.approx(0.01 * level, rel=0.02)
        assert left["dpm-solver-clean"][name] < 1e-5 * level


@pytest.mark.parametrize("evaluations", [2, 3, 4, 5, 9])
def test_a_line_is_followed_exactly(evaluations):
    """Where noise and signal are constant, every order reaches alpha x + sigma noise at the end."""
    alphas = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)
    solver, clean, noise = DPMSolver(alphas, evaluations), torch.tensor([0.3]).double(), torch.tensor([-1.2]).double()
    first, last = solver.moment(0), solver.moment(solver.steps)
    latents, count = {"audio": first.alpha * clean + first.sigma * noise}, []

    def evaluate(latents, moment):
        count.append(moment.timestep)
        return {"audio": noise}

    for index in range(solver.steps):
        latents = solver.step(latents, evaluate(latents, solver.moment(index)), index, evaluate)
    torch.testing.assert_close(latents["audio"], last.alpha * clean + last.sigma * noise)
    assert len(count) == evaluations and count == sorted(count, reverse=True)


def test_clean_streams_are_found_again(model):
    denoiser = model.denoiser(steps=STEPS)
    clean, noise = given("video") | given("audio"), denoiser.start([torch.Generator().manual_seed(1)])
    for index in range(denoiser.steps):
        found = denoiser.x0(denoiser.noised(clean, noise, index), noise, index)
        for stream, each in found.items():
            torch.testing.assert_close(each, clean[stream], rtol=1e-3, atol=1e-3)


def test_denoise_below_1_keeps_a_part(model):
    denoiser = model.denoiser(steps=20, denoise=0.2)
    clean = given("video") | given("audio")
    kept = generate(denoiser, {}, seed=0, rule=Unguided(), latents=clean)
    whole = made(model)
    for stream, each in clean.items():
        assert (kept.latents[stream] - each).norm() < (whole.latents[stream] - each).norm()
    with pytest.raises(AlignerError, match="no audio is"):
        generate(denoiser, {}, seed=0, rule=Unguided(), latents=given("video"))


@pytest.mark.parametrize("stream, other", [("video", "audio"), ("audio", "video")])
def test_a_given_stream_stays_and_changes_the_other(model, stream, other):
    kept = given(stream)
    replaced = made(model, latents=kept, masks=mask(stream))
    assert torch.equal(replaced.latents[stream], kept[stream])
    another = made(model, latents=given(stream, seed=10), masks=mask(stream))
    assert not torch.allclose(replaced.latents[other], another.latents[other])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_reconstruction_moves_down_the_error_of_what_is_given(sampler):
    """By scale times sqrt(abar) times a gradient that finite differences confirm."""
    denoiser = MMDiffusion(random_network().double()).denoiser(steps=STEPS, sampler=sampler)
    video = {name: each.double() for name, each in given("video").items()}
    generators, scale, index = [torch.Generator().manual_seed(1)], 0.01, denoiser.steps - 2
    masks = {name: each.double() for name, each in mask("video").items()}
    pulled = Reconstruction.begun(denoiser, masks, video, generators, scale=scale)
    latents = denoiser.noised(video | given("audio"), denoiser.start(generators), index)

    def stepped(generator, audio):
        both = latents | {"audio": audio.double()}
        return generator.step(both, generator.predict(both, {}, index), index)

    def error(audio):
        made = stepped(denoiser, audio)["video"]
        return (made - denoiser.noised(video, pulled.noise, index + 1)["video"]).square().sum()

    with torch.no_grad():
        audio, width = latents["audio"], 1e-5
        direction = torch.randn(audio.shape, generator=generators[0], dtype=torch.float64)
        slope = (error(audio + width * direction) - error(audio - width * direction)) / (2 * width)
        moved = stepped(pulled, audio)["audio"] - stepped(denoiser, audio)["audio"]
    ones, nothing = {"audio": torch.ones(1)}, {"audio": torch.zeros(1)}
    signal = denoiser.noised(ones, nothing, index)["audio"].item()
    assert abs(slope) > 1e-9
    torch.testing.assert_close((moved * direction).sum(), -scale * signal * slope, rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize(
    "rule",
    [
        Search(candidates={"video": 6, "audio": 2}),
        Released(rates={"video": 0.05, "audio": 0.01}, prompt_rates={}),
        Paper(rates={"video": 0.05, "audio": 0.01}, prompt_rates={}),
    ],
    ids=["search", "released", "paper"],
)
def test_every_rule_steers_by_both_streams_and_by_words(model, binder, text_condition, rule):
    result = made(model, binder, rule=rule, conditions=[text_condition])
    assert set(result.scores) == {"video ~ generated audio", "video ~ text", "audio ~ text"}
    assert any(not torch.equal(result.latents[each], made(model).latents[each]) for each in ("video", "audio"))
    again = made(model, binder, rule=rule, conditions=[text_condition])
    assert all(torch.equal(result.latents[each], again.latents[each]) for each in ("video", "audio"))


@pytest.mark.parametrize("stream, other", [("video", "audio"), ("audio", "video")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_reconstruction_is_felt_in_any_precision(dtype, stream, other):
    model = MMDiffusion(random_network().to(dtype))
    options = {"latents": given(stream), "masks": mask(stream), "sampler": "ddim"}
    replaced, pulled = (made(model, reconstruction=scale, **options).latents[other] for scale in (0.0, 30.0))
    # A network with random weights hardly couples its streams.
    assert (pulled - replaced).norm() > 1e-5 * replaced.norm()


def test_what_is_kept_has_a_noise_of_its_own(model):
    denoiser = model.denoiser(steps=STEPS)
    seeds = [torch.Generator().manual_seed(1)]
    kept = Inpainting.begun(denoiser, mask("video") | mask("audio"), given("video") | given("audio"), seeds).noise
    count = 1_000
    assert not torch.equal(kept["video"].flatten()[:count], kept["audio"].flatten()[:count])


def test_room_for_reconstruction_counts_all_evaluations_of_a_step(model):
    def kept(sampler):
        return model.denoiser(sampler=sampler).footprint(1, following(["audio"])).kept

    assert kept("dpm-solver-clean") == kept("dpm-solver") == 3 * kept("ddim") > 0


def test_reconstruction_and_a_rule_work_together(model, binder):
    options = {"latents": given("video"), "masks": mask("video"), "reconstruction": 1.0}
    rule = Released(rates={"video": 0.05, "audio": 0.01}, prompt_rates={})
    plain, steered = (made(model, binder, rule=each, **options) for each in (Unguided(), rule))
    assert not torch.equal(plain.latents["audio"], steered.latents["audio"])


@pytest.mark.parametrize(
    "options, fault",
    [
        ({"steps": 0}, "0 steps cannot be taken"),
        ({"steps": 2.5}, "2.5 steps cannot be taken"),
        ({"steps": 501, "sampler": "ddim"}, "501 of them would end at 500 of 1000, .* Take 500 steps"),
        ({"steps": 1}, "dpm-solver-clean takes 2 steps or more"),
        ({"sampler": "euler"}, "There is no sampler 'euler'. Choose one of: dpm-solver-clean, dpm-solver, ddim"),
        ({"denoise": 0.0}, "denoise must be above 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(model, options, fault):
    with pytest.raises(AlignerError, match=fault):
        model.denoiser(**options)


def test_streams_of_another_shape_are_refused(model):
    short = {"audio": torch.zeros(1, 1, 6_400)}
    with pytest.raises(AlignerError, match="audio to start from has shape"):
        made(model, latents=short, masks=mask("audio"))
    with pytest.raises(AlignerError, match="scale of reconstruction must be 0 or more"):
        made(model, latents=given("audio"), masks=mask("audio"), reconstruction=-1.0)
    with pytest.raises(AlignerError, match="nothing is kept. Give masks"):
        made(model, reconstruction=1.0)
    both = mask("audio") | mask("video")
    with pytest.raises(AlignerError, match="needs a stream that is made anew"):
        made(model, latents=given("audio") | given("video"), masks=both, reconstruction=1.0)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_network_of_velocities_says_which_noise_there_is(model, sampler):
    """Where v = alpha noise - sigma x0 is predicted, x0 is alpha z - sigma v."""
    told = MMDiffusion(random_network())
    told.unet.config = replace(SMALL, prediction="velocity")
    denoiser, plain = (each.denoiser(steps=6, sampler=sampler) for each in (told, model))
    latents = plain.start([torch.Generator().manual_seed(1)])
    velocity = plain.predict(latents, {}, 1)
    clean = denoiser.x0(latents, denoiser.predict(latents, {}, 1), 1)
    unit = {name: torch.ones_like(each) for name, each in latents.items()}
    nothing = {name: torch.zeros_like(each) for name, each in latents.items()}
    alpha, sigma = plain.noised(unit, nothing, 1), plain.noised(nothing, unit, 1)
    for name, each in latents.items():
        torch.testing.assert_close(clean[name], alpha[name] * each - sigma[name] * velocity[name], atol=1e-4, rtol=1e-4)


def test_another_prediction_is_refused():
    with pytest.raises(AlignerError, match="predicts noise or velocity, not 'x0'"):
        replace(SMALL, prediction="x0")
