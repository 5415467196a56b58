"""What passes a gate is safe, whatever arrives; everything else is refused in a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aligner.binders.base import Embedding
from aligner.conditions.condition import Condition, conditions_of
from aligner.errors import AlignerError
from aligner.generators.tuned_prompts import TunedPrompt, tuned_prompt_of
from aligner.guidance.gradient import Released
from aligner.guidance.objective import Comparison
from aligner.guidance.rule import rule_of
from aligner.guidance.search import Search
from aligner.values.latents import LARGEST, latent
from aligner.values.numbers import number, truth, whole_number
from aligner.values.pictures import HIGHEST, LOWEST, mask, pictures
from aligner.values.sounds import HIGHEST_RATE, LOUDEST, LOWEST_RATE, sound
from aligner.values.tensors import real_tensor
from aligner.values.texts import text

from .anything import WALK, anything, numbers, objects, passed, tensors, texts

rates = st.one_of(st.sampled_from([16000, 44100.0, "44100", " 8000 ", torch.tensor(22050)]), anything)
sounds = st.fixed_dictionaries({"waveform": tensors(3), "sample_rate": rates})
latents = st.fixed_dictionaries(
    {"samples": tensors(4)}, optional={"noise_mask": st.one_of(st.none(), tensors(3)), "type": anything}
)


@WALK
@given(st.one_of(sounds, anything))
def test_what_passes_as_a_sound_is_one(value: Any) -> None:
    if (heard := passed(sound, value)) is not None:
        waveform, rate = heard
        assert waveform.dtype == torch.float32 and waveform.ndim == 3 and waveform.numel()
        assert waveform.abs().max() <= LOUDEST and not waveform.requires_grad
        assert type(rate) is int and LOWEST_RATE <= rate <= HIGHEST_RATE
        again, _ = sound({"waveform": waveform, "sample_rate": rate}, "it")
        assert torch.equal(again, waveform)


@WALK
@given(st.one_of(tensors(4), anything))
def test_what_passes_as_a_picture_is_one(value: Any) -> None:
    if (seen := passed(pictures, value)) is not None:
        assert seen.is_floating_point() and seen.dtype.itemsize > 1 and seen.numel() and seen.shape[3] in (1, 3, 4)
        assert seen.min() >= LOWEST and seen.max() <= HIGHEST
        assert pictures(seen, "it").data_ptr() == seen.data_ptr(), "the frames of a long video are not copied"


@WALK
@given(st.one_of(tensors(3), anything))
def test_what_passes_as_a_mask_is_one(value: Any) -> None:
    if (painted := passed(mask, value)) is not None:
        assert painted.dtype == torch.float32 and painted.ndim == 3 and painted.numel()
        assert painted.min() >= 0 and painted.max() <= 1


@WALK
@given(st.one_of(latents, anything))
def test_what_passes_as_a_latent_is_one(value: Any) -> None:
    if (taken := passed(latent, value)) is not None:
        assert taken["samples"].abs().max() <= LARGEST and taken["samples"].numel()
        if taken.get("noise_mask") is not None:
            assert taken["noise_mask"].isfinite().all() and taken["noise_mask"].ndim >= 2


@WALK
@given(st.one_of(texts, anything))
def test_what_passes_as_a_text_can_be_written(value: Any) -> None:
    if (written := passed(text, value)) is not None:
        assert type(written) is str and written.encode().decode() == value


@WALK
@given(numbers, st.sampled_from([(None, None), (0.0, 30.0), (-10.0, 10.0), (1, 2**62)]))
def test_what_passes_as_a_number_is_in_its_range(value: Any, limits: tuple) -> None:
    low, high = limits
    for gate, kind in ((number, float), (whole_number, int)):
        if (counted := passed(gate, value, low, high)) is not None:
            assert type(counted) is kind and math.isfinite(counted)
            assert (low is None or low <= counted) and (high is None or counted <= high)


@WALK
@given(anything)
def test_what_passes_as_a_switch_is_true_or_false(value: Any) -> None:
    assert passed(truth, value) in (True, False, None)


@WALK
@given(st.one_of(tensors(), anything))
def test_what_passes_as_a_tensor_can_be_computed_with(value: Any) -> None:
    if (tensor := passed(real_tensor, value)) is not None:
        assert not tensor.requires_grad and not tensor.is_complex() and not tensor.is_meta
        (tensor.float() + 1).sum().item()


@st.composite
def conditions(draw: Callable[..., Any]) -> Any:
    """Objects like conditions, with a few of their fields changed past all checks."""
    good = Condition(Embedding(torch.ones(1, 2, 4), ((0.0, 1.0), (1.0, 2.0)), "audio", "one"))
    embedding, condition = dict(vars(good.embedding)), dict(vars(good))
    for fields, values in (
        (embedding, {"clips": tensors(3), "spans": st.one_of(anything, st.lists(st.lists(numbers, max_size=3)))}),
        (embedding, {"modality": st.one_of(texts, objects), "binder": anything, "heads": anything}),
        (condition, {"weight": anything, "duration": anything, "streams": anything, "timeline": anything}),
    ):
        for name, strategy in values.items():
            if draw(st.integers(0, 5)) == 0:
                fields[name] = draw(strategy)
    condition["embedding"] = _bypassing(Embedding, embedding)
    return _bypassing(Condition, condition)


def _bypassing(kind: type, fields: dict[str, Any]) -> Any:
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


@WALK
@given(st.one_of(st.lists(conditions(), max_size=2), anything))
def test_what_passes_as_conditions_can_be_compared(value: Any) -> None:
    for each in passed(conditions_of, value) or []:
        assert each.embedding.clips.isfinite().all() and each.embedding.modality.isidentifier()
        assert each.embedding.mean().shape[-1] == each.embedding.clips.shape[-1] and math.isfinite(each.weight)


@WALK
@given(anything)
def test_nothing_but_a_rule_passes_as_a_rule(value: Any) -> None:
    assert passed(rule_of, value) is None


@pytest.mark.parametrize("rule", [Search(), Search(then=Released()), Released()])
def test_a_rule_passes_as_it_is(rule: Any) -> None:
    assert rule_of(rule, "guidance") is rule


def test_a_rule_of_another_package_hears_what_it_lacks() -> None:
    class Half:
        comparison, begin, step = Comparison(), None, None

    with pytest.raises(AlignerError, match="Half. It lacks guides, passes, backward, savings"):
        rule_of(Half(), "guidance")


@st.composite
def tuned_prompts(draw: Callable[..., Any]) -> Any:
    tensor = st.one_of(st.just(torch.ones(1, 512)), tensors(2))
    return _bypassing(
        TunedPrompt, {"embeddings": {"audio": draw(tensor)}, "texts": {"audio": draw(st.one_of(texts, anything))}}
    )


@WALK
@given(st.one_of(tuned_prompts(), anything))
def test_what_passes_as_a_tuned_prompt_is_one(value: Any) -> None:
    if (tuned := passed(tuned_prompt_of, value)) is not None:
        assert all(each.float().isfinite().all() and len(each) == 1 for each in tuned.embeddings.values())
