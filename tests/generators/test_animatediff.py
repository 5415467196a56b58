"""AnimateDiff in the guided loop: parity with diffusers, decoding on demand, prompt tuning, and what it refuses."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from diffusers import (
    AnimateDiffPipeline,
    DDIMScheduler,
    MotionAdapter,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)

from aligner.conditions.encoding import audio_condition, text_condition
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators import signals
from aligner.generators.animatediff import load_animatediff
from aligner.generators.signals import Frames, LatentFrames
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.objective import PUBLISHED, Objective
from aligner.guidance.pairs import pairs
from aligner.guidance.rule import Unguided
from aligner.tensors.checkpointing import checkpointed
from aligner.timing.clips import CLIP_SAMPLINGS
from laboratory.random_models import load_random_imagebind

SIDE, SEEDS = 64, 4


@pytest.fixture(scope="module")
def picture_model(animatediff_folders):
    return load_animatediff(animatediff_folders[0])


@pytest.fixture
def denoiser(animatediff):
    return animatediff.denoiser(frames=8, fps=4, height=SIDE, width=SIDE, steps=6)


@pytest.fixture
def prompts(denoiser):
    return denoiser.prompts(["a dog"])


@pytest.fixture(scope="module")
def conditions(binder):
    sound = torch.randn(1, 32000, generator=torch.Generator().manual_seed(3)) * 0.1
    return [audio_condition(binder, sound, 16000, clips="seconds"), text_condition(binder, "a dog barks")]


def _generated(denoiser, prompts, binder, conditions, rule, seed=0, batch=1):
    return generate(denoiser, prompts, seed=seed, batch=batch, binder=binder, conditions=conditions, rule=rule)


def _released(**settings):
    """Without prompt tuning unless a test asks for it, and without checkpointing, which only takes longer."""
    return Released(**{"prompt_rates": {}, "checkpointing": False} | settings)


def _scores(result):
    return torch.stack(list(result.scores.values()))


# --- unguided: the library's own pipelines -------------------------------------------------------------------------


def test_unguided_equals_the_pipeline_of_diffusers(animatediff, animatediff_folders):
    base, motion = animatediff_folders
    pipeline = AnimateDiffPipeline(
        unet=UNet2DConditionModel.from_pretrained(base, subfolder="unet"),
        vae=animatediff.vae,
        motion_adapter=MotionAdapter.from_pretrained(motion),
        text_encoder=animatediff.text_encoder,
        tokenizer=animatediff.tokenizer,
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="linear",
            steps_offset=1,
            clip_sample=False,
            timestep_spacing="linspace",
        ),
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        "a dog",
        num_frames=5,
        height=SIDE,
        width=72,
        num_inference_steps=7,
        guidance_scale=7.5,
        negative_prompt="blurry",
        output_type="pt",
        generator=torch.Generator().manual_seed(4),
    ).frames
    denoiser = animatediff.denoiser(frames=5, height=SIDE, width=72, steps=7, cfg=7.5, negative_prompt="blurry")
    ours = generate(denoiser, denoiser.prompts(["a dog"]), seed=4, rule=Unguided()).signals["video"].pixels
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_a_picture_equals_the_pipeline_of_diffusers(picture_model, animatediff_folders):
    pipeline = StableDiffusionPipeline.from_pretrained(
        animatediff_folders[0], safety_checker=None, feature_extractor=None
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        "a dog",
        height=SIDE,
        width=SIDE,
        num_inference_steps=5,
        output_type="pt",
        generator=torch.Generator().manual_seed(4),
    ).images
    denoiser = picture_model.denoiser(frames=1, height=SIDE, width=SIDE, steps=5)
    ours = generate(denoiser, denoiser.prompts(["a dog"]), seed=4, rule=Unguided()).signals["video"].pixels
    torch.testing.assert_close(ours[:, 0], theirs, atol=1e-4, rtol=0)


def test_the_schedule_is_the_one_of_motion_modules(animatediff, picture_model):
    betas = torch.linspace(0.00085, 0.012, 1000)
    scheduler = animatediff.denoiser(frames=1, height=SIDE, width=SIDE, steps=4).scheduler
    torch.testing.assert_close(scheduler.betas, betas)
    assert scheduler.timesteps.tolist() == [999, 666, 333, 0]
    # Without motion modules it is the base model's own.
    assert picture_model.scheduler_config["beta_schedule"] == "scaled_linear"


def test_a_picture_needs_no_schedule_of_ddim(animatediff_folders, tmp_path):
    """Configs of other samplers do not say that latents are not clipped to -1..1."""
    folder = shutil.copytree(animatediff_folders[0], tmp_path / "base")
    config = {
        "_class_name": "EulerAncestralDiscreteScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
    }
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
    scheduler = load_animatediff(folder).denoiser(frames=1, steps=4).scheduler
    assert (scheduler.config.clip_sample, scheduler.config.steps_offset) == (False, 1)
    assert scheduler.final_alpha_cumprod == scheduler.alphas_cumprod[0] and scheduler.config.beta_end == 0.012


# --- decoding on demand -----------------------------------------------------------------------------------------------


def _loss(binder, conditions, signal):
    named = {"audio": conditions[0], "text": conditions[1]}
    objective = Objective(
        lambda video, _: video.embed(binder, CLIP_SAMPLINGS["seconds"]),
        {name: condition.embedding for name, condition in named.items()},
        pairs(["video"], named),
        PUBLISHED.compare,
    )
    return objective({"video": signal}).loss.sum()


@pytest.mark.parametrize("frames, fps", [(16, 8), (7, 3), (1, 8)])
def test_decoding_on_demand_has_the_gradient_of_decoding_everything(exact_animatediff, frames, fps, seeded):
    binder = load_random_imagebind(seed=2).double()
    conditions = [
        audio_condition(binder, torch.randn(1, 32000, generator=seeded, dtype=torch.float64), 16000, clips="seconds"),
        text_condition(binder, "a dog barks"),
    ]
    latents = torch.randn(2, 4, frames, 8, 8, generator=seeded, dtype=torch.float64).requires_grad_(True)
    decode = exact_animatediff.decode
    everything = torch.stack([decode(sample.transpose(0, 1)) for sample in latents])
    (expected,) = torch.autograd.grad(_loss(binder, conditions, Frames(everything, Fraction(fps))), latents)
    with checkpointed(binder.blocks()):
        loss = _loss(binder, conditions, LatentFrames(latents, Fraction(fps), decode, decode))
        (actual,) = torch.autograd.grad(loss, latents)
    assert expected.abs().max() > 0
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=1e-6)


@pytest.mark.parametrize(
    "at_once, calls", [(64, [(1, 4, 8, 8)] * 4), (2 * 64, [(2, 4, 8, 8)] * 2), (32 * 32, [(4, 4, 8, 8)])]
)
def test_only_the_frames_that_imagebind_looks_at_are_decoded(
    animatediff, binder, conditions, seeded, monkeypatch, at_once, calls
):
    """Large ones one by one, small ones together: two clips of a second, two frames each."""
    monkeypatch.setattr(signals, "_LATENT_PIXELS_AT_ONCE", at_once)
    decoded = []

    def decode(latents):
        decoded.append(latents.shape)
        return animatediff.decode(latents)

    latents = torch.randn(1, 4, 16, 8, 8, generator=seeded).requires_grad_(True)
    loss = _loss(binder, conditions, LatentFrames(latents, Fraction(8), decode, decode))
    assert decoded == calls
    (gradient,) = torch.autograd.grad(loss, latents)
    looked_at = gradient.abs().amax(dim=(0, 1, 3, 4)) > 0
    assert looked_at.nonzero().flatten().tolist() == [0, 7, 8, 15]
    assert decoded == calls * 2  # once more on the way back


def test_half_decoding_is_for_guidance_only(animatediff, prompts, binder, conditions):
    exact, half = (
        animatediff.denoiser(frames=4, height=SIDE, width=SIDE, steps=4, decoding=decoding)
        for decoding in ("exact", "half")
    )
    plain = [generate(denoiser, prompts, seed=1, rule=Unguided()).signals["video"].pixels for denoiser in (exact, half)]
    assert torch.equal(*plain)
    guided = [
        _generated(denoiser, prompts, binder, conditions, _released()).latents["video"] for denoiser in (exact, half)
    ]
    assert not torch.equal(*guided)


def test_checkpointing_changes_nothing(denoiser, prompts, binder, conditions):
    settings = {"prompt_rates": {"video": 0.02}, "rates": {"video": 0.05}}
    kept, recomputed = (
        _generated(denoiser, prompts, binder, conditions, _released(checkpointing=checkpointing, **settings))
        for checkpointing in (False, True)
    )
    assert torch.equal(kept.latents["video"], recomputed.latents["video"])
    assert torch.equal(kept.prompts["video"], recomputed.prompts["video"])


def test_checkpoints_wrap_the_motion_modules(denoiser):
    names = {type(module).__name__ for module in denoiser.checkpointable()}
    assert {"ResnetBlock2D", "Transformer2DModel", "AnimateDiffTransformer3D"} <= names
    assert len(denoiser.checkpointable()) == len(set(denoiser.checkpointable()))


# --- guidance -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        _released(rates={"video": 0.05}),
        _released(rates={"video": 0.05}, comparison=replace(PUBLISHED, compare="per_clip")),
        Paper(rates={"video": 30.0}, prompt_rates={}, start=0.0, checkpointing=False),
        _released(rates={"video": 0.01}, prompt_rates={"video": 0.02}),
    ],
    ids=["released", "per clip", "paper", "with prompt tuning"],
)
def test_guidance_raises_the_score_of_every_pair(denoiser, prompts, binder, conditions, rule):
    unguided, guided = (
        _generated(denoiser, prompts, binder, conditions, each, batch=SEEDS)
        for each in (Unguided(rule.comparison), rule)
    )
    assert list(guided.scores) == ["video ~ audio", "video ~ text"]
    assert (_scores(guided) > _scores(unguided)).all()


def test_prompt_tuning_alone_raises_the_score(denoiser, prompts, binder, conditions):
    """Figure 7 of the paper: with latent guidance off."""
    unguided, tuned = (
        _generated(denoiser, prompts, binder, conditions, rule, batch=SEEDS)
        for rule in (Unguided(), _released(rates={}, prompt_rates={"video": 0.05}))
    )
    assert (tuned.score > unguided.score).all()
    assert not torch.equal(tuned.prompts["video"][:1], prompts["video"])


def test_without_text_the_sound_alone_steers(denoiser, prompts, binder, conditions):
    sound, text = conditions
    silent_text = text_condition(binder, "a dog barks", weight=0.0)
    without, with_zero = (
        _generated(denoiser, prompts, binder, given, _released(rates={"video": 0.05}))
        for given in ([sound], [sound, silent_text])
    )
    assert list(with_zero.scores) == ["video ~ audio"]
    assert torch.equal(without.latents["video"], with_zero.latents["video"])


def test_the_tuned_prompt_is_shared_by_later_steps_and_can_be_used_again(denoiser, prompts, binder, conditions):
    seen, predict = [], denoiser.predict

    def recording(z, y, *arguments):
        seen.append(y["video"].detach().clone())
        return predict(z, y, *arguments)

    denoiser.predict = recording
    rule = _released(rates={}, prompt_rates={"video": 0.05})
    tuned = _generated(denoiser, prompts, binder, conditions, rule).prompts
    changed = [not torch.equal(before, after) for before, after in zip(seen, seen[1:])]
    assert changed == [False, False, True, True, True]  # the last four of six steps are guided
    again, plain = (generate(denoiser, each, seed=0, rule=Unguided()) for each in (tuned, prompts))
    assert not torch.equal(again.latents["video"], plain.latents["video"])


def test_inner_steps_of_prompt_tuning_ask_the_unconditional_half_once(denoiser, prompts, binder, conditions):
    calls, network = [], denoiser.network

    def counting(z, timestep, y):
        calls.append(y.requires_grad)
        return network(z, timestep, y)

    denoiser.network = counting
    rule = _released(rates={"video": 0.01}, prompt_rates={"video": 0.02}, inner_steps=3)
    _generated(denoiser, prompts, binder, conditions, rule)
    assert calls.count(True) == 4 * 3 and calls.count(False) == 2 * 2 + 4  # two plain steps, four guided ones


def test_same_seed_same_bits(denoiser, prompts, binder, conditions):
    rule = _released(rates={"video": 0.05}, prompt_rates={"video": 0.02})
    first, second = (_generated(denoiser, prompts, binder, conditions, rule, seed=3) for _ in range(2))
    assert torch.equal(first.signals["video"].pixels, second.signals["video"].pixels)
    assert torch.equal(first.prompts["video"], second.prompts["video"]) and first.curves == second.curves


def test_variations_are_each_their_own_video(denoiser, prompts, binder, conditions):
    both, second = (
        _generated(denoiser, prompts, binder, conditions, _released(), seed=seed, batch=batch)
        for seed, batch in ((3, 2), (4, 1))
    )
    assert both.signals["video"].pixels.shape == (2, 8, 3, SIDE, SIDE)
    torch.testing.assert_close(both.signals["video"].pixels[1:], second.signals["video"].pixels, atol=1e-4, rtol=0)


def test_a_picture_follows_a_sound(picture_model, binder, conditions):
    denoiser = picture_model.denoiser(frames=1, height=SIDE, width=SIDE, steps=6)
    prompts = denoiser.prompts(["a dog"])
    unguided, guided = (
        _generated(denoiser, prompts, binder, conditions, rule)
        for rule in (Unguided(), _released(rates={"video": 0.05}))
    )
    assert (_scores(guided) > _scores(unguided)).all()


# --- video to video -------------------------------------------------------------------------------------------------


def test_the_lower_denoise_is_the_more_of_a_video_stays(animatediff, prompts, seeded):
    clean = torch.randn(1, 4, 4, 8, 8, generator=seeded)

    def distance(denoise):
        denoiser = animatediff.denoiser(frames=4, height=SIDE, width=SIDE, steps=10, denoise=denoise)
        latents = generate(denoiser, prompts, seed=0, rule=Unguided(), latents={"video": clean}).latents["video"]
        return (latents - clean).norm().item()

    assert distance(0.1) < distance(0.4) < distance(0.8)


def test_encoding_is_deterministic_and_fits_the_denoiser(animatediff, seeded):
    frames = torch.rand(3, 3, SIDE, SIDE, generator=seeded)
    latents = animatediff.encode(frames)
    assert latents.shape == (1, *animatediff.denoiser(frames=3, height=SIDE, width=SIDE).shape)
    assert torch.equal(latents, animatediff.encode(frames))


# --- what cannot be made --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"frames": 40, "window_frames": 33}, "4 to 32 frames at once, not 33"),
        ({"window_frames": 3}, "4 to 32 frames at once, not 3"),
        ({"frames": 0}, "at least 1 frame"),
        ({"height": 100}, "height must be a multiple of 8, not 100. Take 96"),
        ({"width": -8}, "width must be a multiple of 8"),
        ({"fps": 0}, "frame rate"),
        ({"fps": 0.0001}, "frame rate"),
        ({"fps": float("nan")}, "frame rate"),
        ({"steps": 0}, "0 denoising steps"),
        ({"cfg": float("inf")}, "cfg"),
        ({"denoise": 0.0}, "denoise"),
        ({"decoding": "rough"}, "decoding 'rough'. Choose one of: exact, half, taesd"),
    ],
)
def test_what_cannot_be_made_is_named(animatediff, settings, message):
    with pytest.raises(AlignerError, match=message):
        animatediff.denoiser(**settings)


def test_more_frames_than_the_motion_modules_know_are_made_in_windows(animatediff, prompts):
    denoiser = animatediff.denoiser(frames=40, height=32, width=32, steps=1)
    assert denoiser.windows.length == 16 and len(denoiser.segments) == 3
    assert animatediff.denoiser(frames=32).windows is None
    assert generate(denoiser, prompts, seed=0, rule=Unguided()).signals["video"].pixels.shape == (1, 40, 3, 32, 32)


def test_windows_take_less_memory_than_the_whole(animatediff):
    windowed, whole = (animatediff.denoiser(frames=32, window_frames=window).footprint(1) for window in (16, 0))
    assert windowed.kept + windowed.passing < whole.kept + whole.passing


def test_without_motion_modules_only_pictures_can_be_made(picture_model):
    assert picture_model.denoiser(frames=1, window_frames=16).windows is None
    with pytest.raises(AlignerError, match="single pictures"):
        picture_model.denoiser(frames=2)


def test_a_latent_of_another_size_is_refused(animatediff, prompts, seeded):
    denoiser = animatediff.denoiser(frames=4, height=SIDE, width=SIDE, steps=4, denoise=0.5)
    with pytest.raises(AlignerError, match=r"\(1, 4, 3, 8, 8\), but \(1, 4, 4, 8, 8\) is needed"):
        generate(denoiser, prompts, seed=0, rule=Unguided(), latents={"video": torch.zeros(1, 4, 3, 8, 8)})


def test_a_very_long_prompt_is_cut(animatediff):
    assert animatediff.encode_prompts(["a dog " * 200, ""]).shape == (2, 77, 32)
