"""CLAP: parity with transformers' own model and feature extractor, gradients, folders and steering."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import torch.nn.functional as F

from aligner.binders.clap import load_clap
from aligner.conditions.encoding import audio_condition, image_condition, text_condition
from aligner.errors import AlignerError, CheckpointError
from aligner.generation import generate
from aligner.guidance.gradient import Released
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search
from laboratory.random_clap import EXTRACTOR, write_random_clap

RATE = EXTRACTOR["sampling_rate"]


@pytest.fixture(scope="module", params=[False, True], ids=["unfused", "fused"])
def folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "clap-tiny"
    write_random_clap(folder, seed=3, fused=request.param)
    return folder


@pytest.fixture(scope="module")
def clap(folder):
    return load_clap(folder)


@pytest.fixture(scope="module")
def extractor(folder):
    from transformers import ClapFeatureExtractor

    return ClapFeatureExtractor.from_pretrained(folder)


@pytest.fixture(scope="module")
def reference(folder):
    from transformers import ClapModel

    return ClapModel.from_pretrained(folder).eval()


def features_of(extractor, waveform: torch.Tensor) -> torch.Tensor:
    return extractor(waveform[0].double().numpy(), sampling_rate=RATE, return_tensors="pt")["input_features"]


@pytest.mark.parametrize("samples", [RATE, RATE - 1, 5000, 700])
@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
def test_spectrograms_equal_those_of_transformers(clap, extractor, normal, samples, padding):
    from aligner.binders.clap.log_mel import LogMel

    extractor.padding = padding
    waveform = 0.1 * normal(1, samples)
    torch.testing.assert_close(
        LogMel(extractor)(waveform.double()), features_of(extractor, waveform).double(), rtol=0, atol=1e-3
    )
    extractor.padding = "repeatpad"


@pytest.mark.parametrize("samples", [RATE, 7000])
def test_sounds_are_heard_as_by_transformers(clap, reference, extractor, normal, samples, relative_error):
    waveform = 0.1 * normal(1, samples)
    with torch.no_grad():
        heard = reference.get_audio_features(
            features_of(extractor, waveform).float(), is_longer=torch.tensor([[False]])
        ).pooler_output
    embedding = clap.embed_audio(waveform, RATE, clap.samplings["seconds"])
    assert embedding.modality == "audio" and embedding.clips.shape == (1, 1, 24)
    assert relative_error(embedding.clips[:, 0], F.normalize(heard, dim=-1)) < 1e-5


def test_texts_are_read_as_by_transformers(clap, reference, relative_error):
    texts = ["no music", "a dog barks"]
    tokens = clap.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        read = reference.get_text_features(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
    embedding = clap.embed_text(texts)
    assert relative_error(embedding.clips[:, 0], F.normalize(read, dim=-1)) < 1e-5
    assert clap.embed_text(["word " * 100]).clips.isfinite().all()


def test_a_long_sound_gives_clips(clap, normal):
    embedding = clap.embed_audio(0.1 * normal(2, int(2.5 * RATE)), RATE, clap.samplings["seconds"])
    assert embedding.clips.shape == (2, 3, 24) and embedding.spans == ((0.0, 1.0), (0.75, 1.75), (1.5, 2.5))
    parts = clap.embed_audio(0.1 * normal(1, 2 * RATE), RATE, clap.samplings["short"], at_once=3)
    assert parts.clips.shape == (1, 8, 24)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_reach_samples_and_agree_with_finite_differences(folder, normal, seed):
    exact = load_clap(folder, dtype=torch.float64)
    waveform = (0.1 * normal(1, 8000)).double().requires_grad_(True)
    draw = torch.Generator().manual_seed(seed)
    direction = torch.randn(waveform.shape, generator=draw, dtype=torch.float64)
    axis = torch.randn(24, generator=draw, dtype=torch.float64)

    def value(sound):
        return (exact.embed_audio(sound, RATE, exact.samplings["seconds"]).clips * axis).sum()

    (gradient,) = torch.autograd.grad(value(waveform), waveform)
    with torch.no_grad():
        numeric = (value(waveform + 1e-6 * direction) - value(waveform - 1e-6 * direction)) / 2e-6
    assert (gradient * direction).sum().item() == pytest.approx(numeric.item(), rel=1e-3)
    assert (gradient != 0).float().mean() > 0.9


def test_silence_has_an_embedding_and_no_wild_gradient(clap):
    silence = torch.zeros(1, 8000, requires_grad=True)
    embedding = clap.embed_audio(silence, RATE, clap.samplings["seconds"])
    embedding.clips.sum().backward()
    assert embedding.clips.isfinite().all() and silence.grad.isfinite().all()


def test_pictures_and_videos_are_refused_by_name(clap):
    with pytest.raises(AlignerError, match="CLAP embeds text, audio, but no image"):
        image_condition(clap, torch.zeros(3, 8, 8))
    with pytest.raises(AlignerError, match="CLAP embeds text, audio, but no video"):
        clap.embed_frames(torch.zeros(2, 3, 8, 8), torch.tensor([[0]]), [(0, 1)], clap.samplings["seconds"])


def test_half_precision_changes_little(folder, clap, normal):
    half = load_clap(folder, dtype=torch.bfloat16)
    assert half.fingerprint == clap.fingerprint
    waveform = 0.1 * normal(1, 8000)
    exact, rounded = (each.embed_audio(waveform, RATE, each.samplings["seconds"]).clips for each in (clap, half))
    assert rounded.dtype == torch.float32 and F.cosine_similarity(exact, rounded, dim=-1).min() > 0.99


@pytest.mark.parametrize(
    "rule", [Search(candidates={"audio": 6}, at=0.8), Released(rates={"audio": 0.3})], ids=("search", "released")
)
def test_a_condition_steers_a_generator(audioldm, clap, normal, rule):
    conditions = [text_condition(clap, "a dog barks"), audio_condition(clap, 0.1 * normal(1, 8000), RATE)]
    denoiser = audioldm.denoiser(seconds=0.6, steps=5)
    prompts = denoiser.prompts(["a dog"])
    steered, free = (
        generate(denoiser, prompts, seed=2, rule=each, binder=clap, conditions=conditions)
        for each in (rule, Unguided(comparison=rule.comparison))
    )
    assert steered.score > free.score


def test_a_folder_of_another_model_is_named(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "clip"}))
    with pytest.raises(CheckpointError, match="of the type 'clip', not CLAP"):
        load_clap(other)
    with pytest.raises(CheckpointError, match="There is no model folder"):
        load_clap(tmp_path / "clap-htsat-unfused")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json"])
def test_an_incomplete_folder_is_named(folder, tmp_path, name):
    incomplete = shutil.copytree(folder, tmp_path / "incomplete")
    (incomplete / name).unlink(missing_ok=True)
    with pytest.raises(CheckpointError, match="incomplete"):
        load_clap(incomplete)
