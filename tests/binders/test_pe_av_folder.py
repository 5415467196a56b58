"""Folders of PE-AV: strict, safe, and under the names that files use."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress

import pytest
import torch
from safetensors.torch import load_file, save_file

from aligner.binders.pe_av import load_pe_av
from aligner.errors import AlignerError, CheckpointError
from laboratory.random_pe_av import write_random_pe_av

HEAD = "audio_model.audio_head.proj.weight"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "pe-av-tiny"
    write_random_pe_av(folder, seed=3)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "pe-av-tiny")


def rewrite(folder, change) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})


def reconfigure(folder, change) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def vision(config):
    return config["audio_video_config"]["video_config"]["vision_config"]


def test_the_same_weights_have_one_fingerprint_in_every_precision(whole, folder):
    fingerprint = load_pe_av(whole).fingerprint
    assert load_pe_av(folder, dtype=torch.float16).fingerprint == fingerprint
    rewrite(folder, lambda weights: {**weights, HEAD: weights[HEAD] + 0.1})
    assert load_pe_av(folder).fingerprint != fingerprint


def test_weights_may_have_the_names_of_their_twins(whole, folder):
    twins = {
        "text_model.": "audio_model.text_model.",
        "audio_model.audio_encoder.": "audio_video_encoder.embedder.audio_encoder.",
        "video_model.video_encoder.": "audio_video_encoder.embedder.video_encoder.",
    }

    def renamed(name: str) -> str:
        return next((twin + name.removeprefix(own) for own, twin in twins.items() if name.startswith(own)), name)

    rewrite(folder, lambda weights: {renamed(name): weight for name, weight in weights.items()})
    assert load_pe_av(folder).fingerprint == load_pe_av(whole).fingerprint


def test_weights_that_are_written_twice_are_read_once(whole, folder):
    name = "text_model.final_norm.weight"
    rewrite(folder, lambda weights: {**weights, f"video_model.{name}": weights[name].clone()})
    assert load_pe_av(folder).fingerprint == load_pe_av(whole).fingerprint


def test_weights_may_lie_in_several_files(whole, folder):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    for number, part in ((1, names[:100]), (2, names[100:])):
        save_file({name: weights[name] for name in part}, folder / f"model-0000{number}-of-00002.safetensors")
    assert load_pe_av(folder).fingerprint == load_pe_av(whole).fingerprint
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="holds 1 files of weights"):
        load_pe_av(folder)


def test_the_processor_may_lie_in_one_file(whole, folder):
    place = folder / "video_preprocessor_config.json"
    (folder / "processor_config.json").write_text(json.dumps({"video_processor": json.loads(place.read_text())}))
    place.unlink()
    assert load_pe_av(folder).side == load_pe_av(whole).side


def test_a_loaded_model_is_frozen(whole):
    model = load_pe_av(whole)
    assert not model.training and not any(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: {name: each for name, each in weights.items() if name != HEAD}, f"missing: {HEAD}"),
        (lambda weights: {**weights, "audio_model.more": torch.zeros(1)}, "unexpected: audio_model.more"),
        (lambda weights: {**weights, HEAD: weights[HEAD][:, 1:].contiguous()}, "of another shape"),
        (lambda weights: {**weights, HEAD: weights[HEAD] * torch.nan}, "NaN or infinite"),
        (lambda weights: {"unet.weight": torch.zeros(1)}, "is not a PE-AV model"),
    ],
)
def test_weights_must_be_those_of_the_config(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=message):
        load_pe_av(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.update(model_type="clap"), "of the type 'clap', not PE-AV"),
        (lambda config: config.update(quantization_config={"bits": 4}), "quantised"),
        (lambda config: vision(config).update(architecture="hf-hub:someone/else"), "which no PE-AV has"),
        (lambda config: vision(config).update(architecture=7), "cannot be loaded"),
        (lambda config: vision(config)["model_args"].update(checkpoint_path="x.pth"), "which no PE-AV has"),
        (lambda config: vision(config)["model_args"].update(depth="x.pth"), "no numbers"),
        (lambda config: vision(config).update(model_type="timm_backbone"), "which no PE-AV has"),
        (lambda config: config.update(text_config=vision(config)), "which no PE-AV has"),
        (
            lambda config: config["audio_video_config"].update(audio_config=vision(config)),
            "cannot be loaded|no PE-AV has",
        ),
        (lambda config: config["audio_video_config"].update(video_config="x"), "cannot be loaded"),
        (lambda config: vision(config)["model_args"].update(embed_dim=-3), "cannot be loaded"),
    ],
)
def test_configs_of_other_models_are_refused_before_weights_are_read(folder, change, message):
    (folder / "model.safetensors").write_bytes(b"")
    reconfigure(folder, change)
    with pytest.raises(CheckpointError, match=message):
        load_pe_av(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "video_preprocessor_config.json"]
)
def test_an_incomplete_folder_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=str(folder)):
        load_pe_av(folder)


@pytest.mark.parametrize("size", [{}, {"shortest_edge": 336}, {"height": 0}, {"height": "336"}, None, 336])
def test_the_size_of_frames_must_be_told(folder, size):
    place = folder / "video_preprocessor_config.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "size": size}))
    with pytest.raises(CheckpointError, match=str(folder)):
        load_pe_av(folder)


def test_no_code_of_the_folder_runs(folder, monkeypatch):
    """Neither is anybody asked whether it may."""
    ran = folder.parent / "ran"
    (folder / "tok.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass T: pass\n")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"auto_map": {"AutoTokenizer": ["tok.T", "tok.T"]}, "tokenizer_class": "T"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    monkeypatch.setattr("builtins.input", lambda *words: pytest.fail("somebody was asked"))
    with suppress(CheckpointError):
        load_pe_av(folder)
    assert not ran.exists()


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="There is no model folder"):
        load_pe_av(tmp_path / "pe-av-small")


def test_an_older_transformers_is_named(whole, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers.models.pe_audio_video", None)
    with pytest.raises(AlignerError, match="PE-AV needs transformers 5 and timm"):
        load_pe_av(whole)
