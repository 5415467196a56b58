"""All parts trained for one step, and written as files that the loaders of the real models read."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from aligner.binders.imagebind.official_names import CAUSAL_MASK
from aligner.demo import family
from aligner.generators.animatediff import load_animatediff
from aligner.generators.ddim import PREDICTION_TYPES
from aligner.guidance.rule import Unguided
from laboratory.evaluation.runs import generated
from laboratory.training import loop
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
    "mm-diffusion.safetensors",
}


def contents(folder) -> dict[str, dict[str, torch.Tensor]]:
    """The weights of every network."""
    return {path: load_file(folder / path) for path in NETWORKS}


def test_all_networks_are_written_in_half_precision(trained):
    found = {
        path.relative_to(trained.weights).as_posix()
        for path in trained.weights.rglob("*")
        if path.suffix in (".safetensors", ".bin", ".pt")
    }
    assert found == NETWORKS
    for path, weights in contents(trained.weights).items():
        rest = {name for name, weight in weights.items() if weight.dtype != torch.float16}
        assert all(name == CAUSAL_MASK or name.endswith(("position_ids", "token_type_ids")) for name in rest), path


def test_an_output_folder_holds_all_models_and_leaves_the_built_in_ones(trained):
    assert {path.name for path in trained.weights.iterdir()} == {path.split("/")[0] for path in NETWORKS}
    assert not trained.built_in.exists()


def test_without_an_output_folder_the_built_in_models_are_replaced(trained, tmp_path):
    trained.again("--only", "judge", "binders", built_in=tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.safetensors")} == {
        "demo/judge.safetensors",
        "demo/imagebind.safetensors",
        "laboratory/second-imagebind.safetensors",
    }


def test_every_part_leaves_its_log(trained):
    """A log holds a line for every 50 steps, so that one step leaves none."""
    (trained.work / "judge.jsonl").write_text("{}\n", encoding="utf-8")
    trained.again("--output", str(trained.weights), "--only", "judge")
    assert (trained.logs / "judge.jsonl").read_text(encoding="utf-8") == "{}\n"


def test_the_weights_are_small_enough_to_ship_with_the_code(trained):
    for folder in (trained.weights, family.WEIGHTS):
        assert sum(path.stat().st_size for path in folder.rglob("*.safetensors")) < 31e6


def test_the_two_binders_have_different_sizes(trained):
    instruments = trained.models.instruments
    assert instruments.binder.config == BINDER and instruments.second.config == SECOND_BINDER
    assert BINDER != SECOND_BINDER


def test_latents_have_a_standard_deviation_of_1(trained):
    """The scaling factor of the VAE normalises them."""
    for model, name in ((trained.models.audioldm, "audio"), (trained.models.animatediff, "video")):
        latents = torch.load(trained.work / f"{name}-latents.pt", weights_only=True)["latents"]
        assert model.vae.config.scaling_factor * latents.std() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("name, settings", [("audioldm", AUDIO_SCHEDULE), ("animatediff", IMAGE_SCHEDULE)])
def test_denoisers_use_the_schedule_of_their_training(trained, name, settings):
    """With motion modules the loader uses its own schedule."""
    denoiser = trained.models.denoiser(["audio" if name == "audioldm" else "video"], steps=2)
    learnt = Noising(settings, "cpu").scheduler
    assert torch.allclose(denoiser.scheduler.alphas_cumprod, learnt.alphas_cumprod, atol=1e-6)
    assert denoiser.scheduler.config.prediction_type == settings["prediction_type"] in PREDICTION_TYPES


@pytest.mark.parametrize("name, train", [("audioldm", trained_clap_text), ("animatediff", trained_clip_text)])
def test_loaded_models_embed_prompts_as_in_training(trained, name, train):
    """The written tokenizer encodes texts as in training."""
    *_, texts = train(trained.work)
    assert torch.allclose(getattr(trained.models, name).encode_prompts(TEXTS[:20]), texts[:20], atol=0.02)


def test_the_video_model_without_motion_is_the_picture_model(trained):
    pictures = load_animatediff(trained.weights / "stable-diffusion")
    moving = dict(trained.models.animatediff.unet.named_parameters())
    assert not pictures.has_motion
    assert all(torch.equal(weight, moving[name]) for name, weight in pictures.unet.named_parameters())


def test_generated_sound_and_video_have_the_shape_of_a_clip(trained):
    made = generated(trained.models, ("video", "audio"), ["a scene"], None, Unguided(), seed=3, steps=1)
    assert made.signals["audio"].waveform.shape == (1, 32000)
    assert made.signals["video"].pixels.shape == (1, 16, 3, 64, 64)
    assert all(signal.isfinite().all() for signal in (made.signals["audio"].waveform, made.signals["video"].pixels))


def test_every_part_leaves_a_result_and_no_state(trained):
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


def test_a_finished_training_writes_the_same_networks_again(trained, monkeypatch):
    before = contents(trained.weights)
    monkeypatch.setattr(loop, "_Training", lambda *arguments: pytest.fail("trained again"))
    trained.again("--output", str(trained.weights), "--only", "judge", "binders", "video")
    for path, weights in contents(trained.weights).items():
        assert weights.keys() == before[path].keys()
        assert all(torch.equal(weight, before[path][name]) for name, weight in weights.items()), path


def test_the_pipelines_list_their_components(trained):
    for folder, tokenizer in (("audioldm", "RobertaTokenizerFast"), ("stable-diffusion", "CLIPTokenizer")):
        index = json.loads((trained.weights / folder / "model_index.json").read_text(encoding="utf-8"))
        assert index["tokenizer"] == ["transformers", tokenizer]
        assert {name for name in index if not name.startswith("_")} == {
            path.name for path in (trained.weights / folder).iterdir() if path.is_dir()
        }
