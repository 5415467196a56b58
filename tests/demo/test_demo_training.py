"""Everything trained for one step: the files that the loaders of the real models read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from aligner import demo
from aligner.binders.imagebind.official_names import CAUSAL_MASK
from aligner.generators.animatediff import load_animatediff
from aligner.generators.ddim import PREDICTION_TYPES
from laboratory.evaluation.runs import generated
from laboratory.training import loop
from laboratory.training.cards import LOGS
from laboratory.training.diffusion import Noising
from laboratory.training.sizes import (
    AUDIO_SCHEDULE,
    BINDER,
    IMAGE_SCHEDULE,
    SECOND_BINDER,
)
from laboratory.training.text_encoders import trained_clap_text, trained_clip_text
from laboratory.training.texts import TEXTS

NETWORKS = {
    "imagebind.safetensors",
    "second-imagebind.safetensors",
    "judge.safetensors",
    "audioldm/unet/diffusion_pytorch_model.safetensors",
    "audioldm/vae/diffusion_pytorch_model.safetensors",
    "audioldm/vocoder/model.safetensors",
    "audioldm/text_encoder/model.safetensors",
    "stable-diffusion/unet/diffusion_pytorch_model.safetensors",
    "stable-diffusion/vae/diffusion_pytorch_model.safetensors",
    "stable-diffusion/text_encoder/model.safetensors",
    "motion-adapter/diffusion_pytorch_model.safetensors",
}


def contents(folder) -> dict[str, dict[str, torch.Tensor]]:
    """What every network holds."""
    return {path: load_file(folder / path) for path in NETWORKS}


def test_all_networks_are_there_in_half_precision(trained):
    found = {
        path.relative_to(trained.weights).as_posix()
        for path in trained.weights.rglob("*")
        if path.suffix in (".safetensors", ".bin", ".pt")
    }
    assert found == NETWORKS
    for path, weights in contents(trained.weights).items():
        rest = {name for name, weight in weights.items() if weight.dtype != torch.float16}
        assert all(name == CAUSAL_MASK or name.endswith(("position_ids", "token_type_ids")) for name in rest), path


def test_they_are_written_where_they_were_wanted(trained):
    assert not trained.built_in.exists()
    assert {path.name for path in trained.weights.iterdir()} == {path.split("/")[0] for path in NETWORKS} | {LOGS}


def test_they_are_small_enough_to_come_with_the_code(trained):
    for folder in (trained.weights, Path(demo.__file__).with_name("weights")):
        assert sum(path.stat().st_size for path in folder.rglob("*.safetensors")) < 25e6


def test_binders_are_two_of_different_sizes(trained):
    instruments = trained.models.instruments
    assert instruments.binder.config == BINDER and instruments.second.config == SECOND_BINDER
    assert BINDER != SECOND_BINDER


def test_latents_have_a_spread_of_1(trained):
    """The factor that brings them there is the VAE's scaling factor."""
    for model, name in ((trained.models.audioldm, "audio"), (trained.models.animatediff, "video")):
        latents = torch.load(trained.work / f"{name}-latents.pt", weights_only=True)["latents"]
        assert model.vae.config.scaling_factor * latents.std() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("name, settings", [("audioldm", AUDIO_SCHEDULE), ("animatediff", IMAGE_SCHEDULE)])
def test_they_are_sampled_by_the_schedule_that_they_learnt(trained, name, settings):
    """With motion modules the loader has a schedule of its own."""
    denoiser = trained.models.denoiser(["audio" if name == "audioldm" else "video"], steps=2)
    learnt = Noising(settings, "cpu").scheduler
    assert torch.allclose(denoiser.scheduler.alphas_cumprod, learnt.alphas_cumprod, atol=1e-6)
    assert denoiser.scheduler.config.prediction_type == settings["prediction_type"] in PREDICTION_TYPES


@pytest.mark.parametrize("name, train", [("audioldm", trained_clap_text), ("animatediff", trained_clip_text)])
def test_prompts_are_embedded_as_in_training(trained, name, train):
    """The tokenizer that is shipped spells what the encoder has learnt, whenever it was written."""
    *_, texts = train(trained.work)
    assert torch.allclose(getattr(trained.models, name).encode_prompts(TEXTS[:20]), texts[:20], atol=0.02)


def test_a_video_model_without_motion_is_the_picture_model(trained):
    pictures = load_animatediff(trained.weights / "stable-diffusion")
    moving = dict(trained.models.animatediff.unet.named_parameters())
    assert not pictures.moves
    assert all(torch.equal(weight, moving[name]) for name, weight in pictures.unet.named_parameters())


def test_sound_and_video_come_out_in_their_sizes(trained):
    made = generated(trained.models, ("video", "audio"), ["a scene"], None, None, seed=3, steps=1)
    assert made.signals["audio"].waveform.shape == (1, 32000)
    assert made.signals["video"].pixels.shape == (1, 16, 3, 64, 64)
    assert all(signal.isfinite().all() for signal in (made.signals["audio"].waveform, made.signals["video"].pixels))


def test_each_part_has_a_result_and_no_state_left(trained):
    names = {path.name for path in trained.work.iterdir()}
    parts = {
        "judge",
        "binder",
        "second_binder",
        "clap_text",
        "mel_vae",
        "vocoder",
        "audio_unet",
        "clip_text",
        "image_vae",
        "image_unet",
        "video_unet",
    }
    assert {f"{part}.pt" for part in parts} <= names
    assert not [name for name in names if ".state" in name]


def test_once_more_trains_nothing_and_writes_the_same_networks(trained, monkeypatch):
    before = contents(trained.weights)
    monkeypatch.setattr(loop, "_Run", lambda *arguments: pytest.fail("trained again"))
    trained.again("--only", "judge", "binders", "video")
    for path, weights in contents(trained.weights).items():
        assert weights.keys() == before[path].keys()
        assert all(torch.equal(weight, before[path][name]) for name, weight in weights.items()), path


def test_the_pipelines_name_their_parts(trained):
    for folder, tokenizer in (("audioldm", "RobertaTokenizerFast"), ("stable-diffusion", "CLIPTokenizer")):
        index = json.loads((trained.weights / folder / "model_index.json").read_text(encoding="utf-8"))
        assert index["tokenizer"] == ["transformers", tokenizer]
        assert {name for name in index if not name.startswith("_")} == {
            path.name for path in (trained.weights / folder).iterdir() if path.is_dir()
        }
