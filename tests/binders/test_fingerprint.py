"""A binder knows its embeddings by a fingerprint of its weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from aligner.binders.base import Fingerprint, require_binder
from aligner.binders.imagebind import load_imagebind, save_imagebind
from aligner.binders.imagebind.official_names import official_state_dict
from aligner.conditions.blending import blended
from aligner.conditions.encoding import audio_condition, text_condition
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.guidance.gradient import Released
from aligner.guidance.rule import Unguided
from aligner.guidance.scoring import score
from aligner.guidance.search import Search
from laboratory.random_imagebind import random_imagebind
from laboratory.random_models import load_random_imagebind

PRECISIONS = [torch.float32, torch.float16, torch.bfloat16, torch.float64]


@pytest.fixture
def saved(model, tmp_path):
    save_imagebind(model, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture(scope="module")
def other_binder():
    """ImageBind of the same sizes with other weights."""
    return load_random_imagebind(seed=3)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_saved_binder_keeps_its_fingerprint_in_every_precision(saved, model, dtype):
    loaded = load_imagebind(saved, dtype=dtype)
    assert loaded.fingerprint == model.fingerprint and len(model.fingerprint) == 16
    assert loaded.embed_text(["rain"]).binder == model.fingerprint


def test_the_published_layout_has_the_fingerprint_of_the_same_weights(tmp_path, model):
    torch.save(official_state_dict(model), tmp_path / "imagebind.pth")
    assert load_imagebind(tmp_path / "imagebind.pth", config=model.config).fingerprint == model.fingerprint


def test_a_file_in_half_precision_keeps_its_own_fingerprint(saved, tmp_path):
    save_imagebind(load_imagebind(saved, dtype=torch.float16), tmp_path / "half.safetensors")
    half = load_imagebind(tmp_path / "half.safetensors", dtype=torch.float16)
    save_imagebind(half, tmp_path / "again.safetensors")
    assert load_imagebind(tmp_path / "again.safetensors").fingerprint == half.fingerprint


def test_moving_a_binder_between_precisions_keeps_its_fingerprint(binder, exact_binder):
    assert exact_binder.fingerprint == binder.fingerprint
    assert load_random_imagebind(seed=2, dtype=torch.bfloat16).fingerprint == binder.fingerprint


def test_other_weights_of_the_same_sizes_have_another_fingerprint(small_config, model):
    other = random_imagebind(small_config, seed=1)
    assert other.fingerprint != model.fingerprint
    assert random_imagebind(small_config, seed=0).fingerprint == model.fingerprint
    weights = dict(model.named_parameters())
    changed = {**weights, "audio.norm.weight": weights["audio.norm.weight"] * 1.001}
    assert Fingerprint(changed.items()).digest() != Fingerprint(weights.items()).digest()


def test_the_order_of_the_weights_does_not_matter(model):
    weights = list(model.named_parameters())
    assert Fingerprint(reversed(weights)).digest() == Fingerprint(weights).digest() == model.fingerprint


def test_the_names_of_the_weights_matter():
    one, other = torch.zeros(3), torch.ones(3)
    assert Fingerprint([("a", one), ("b", other)]).digest() != Fingerprint([("a", other), ("b", one)]).digest()


# --- conditions of another binder -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [Unguided(), Released(), Search()], ids=["unguided", "released", "search"])
def test_generate_refuses_a_condition_of_another_binder(audioldm, binder, other_binder, rule):
    denoiser, foreign, steps = audioldm.denoiser(seconds=1, steps=4), text_condition(other_binder, "rain"), []
    assert foreign.embedding.clips.shape == text_condition(binder, "rain").embedding.clips.shape
    with pytest.raises(AlignerError, match="another binder than the ImageBind in use"):
        generate(
            denoiser,
            denoiser.prompts(["rain"]),
            seed=0,
            rule=rule,
            binder=binder,
            conditions=[text_condition(binder, "rain"), foreign],
            on_step=steps.append,
        )
    assert not steps


def test_generate_ignores_a_condition_of_another_binder_without_weight(audioldm, binder, other_binder):
    denoiser = audioldm.denoiser(seconds=0.5, steps=2)
    conditions = [text_condition(binder, "rain"), text_condition(other_binder, "rain", 0.0)]
    result = generate(
        denoiser, denoiser.prompts(["rain"]), seed=0, rule=Unguided(), binder=binder, conditions=conditions
    )
    assert list(result.scores) == ["audio ~ text"]


def test_score_refuses_a_condition_of_another_binder(binder, other_binder, seeded):
    sound = audio_condition(binder, torch.randn(1, 8000, generator=seeded), 16000)
    with pytest.raises(AlignerError, match="another binder than what is scored"):
        score([sound], [text_condition(other_binder, "rain")])


def test_a_blend_refuses_a_condition_of_another_binder(binder, other_binder):
    conditions = [text_condition(each, "rain") for each in (binder, other_binder)]
    with pytest.raises(AlignerError, match="another binder than the first of them"):
        blended(conditions)


def test_the_message_names_what_to_do(binder):
    embedding = binder.embed_text(["rain"])
    require_binder([embedding], {binder.fingerprint}, "this one")
    with pytest.raises(AlignerError, match="another binder than this one. Encode it again with the same model"):
        require_binder([embedding, replace(embedding, binder="other")], {binder.fingerprint}, "this one")
