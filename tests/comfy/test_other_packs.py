"""Nodes of another pack on our sockets in a real ComfyUI. See other_pack.py."""

from __future__ import annotations

import pytest

from .client import Prompt, PromptFailed
from .prompts import (
    EXAMPLE_SOUND,
    STEERED,
    condition,
    cosine,
    gradient,
    node,
    search,
    shown,
    text_to_sound,
)
from .server import Server


def score(server: Server, prompt: Prompt) -> float:
    return float(server.client.run(prompt | shown("sampler", 2))["shown"]["text"][0])


def test_a_rule_of_another_pack_guides_a_sampler(comfyui: Server) -> None:
    def scaled(factor: float) -> Prompt:
        return text_to_sound(**STEERED) | {"guidance": node("OtherPackScaledNoise", factor=factor)}

    unguided = cosine(comfyui.client.run(text_to_sound(guided=False)))
    assert cosine(comfyui.client.run(scaled(1.0))) == unguided
    assert cosine(comfyui.client.run(scaled(0.5))) != unguided


def test_a_rule_of_another_pack_follows_a_search(comfyui: Server) -> None:
    then = {"other": node("OtherPackScaledNoise", factor=0.5)}
    prompt = text_to_sound(**STEERED) | then
    searched, scaled = (
        cosine(comfyui.client.run(prompt | search(audio_candidates=2, **wires)))
        for wires in ({}, {"then": ["other", 0]})
    )
    assert scaled != searched


def heard(**inputs) -> Prompt:
    """A sound that follows the example sound, compared by the binder of another pack."""
    return text_to_sound(**inputs) | {
        "binder": node("OtherPackLoudnessBinder"),
        "sound": node("LoadAudio", audio=EXAMPLE_SOUND),
        "condition": condition(audio=["sound", 0]),
    }


def test_a_binder_of_another_pack_steers_and_scores(comfyui: Server) -> None:
    unguided, searched = (score(comfyui, without_report(heard(guided=guided))) for guided in (False, True))
    assert searched > unguided
    moved = heard(**STEERED) | gradient(clips="short", audio_rate=0.05)
    assert score(comfyui, without_report(moved)) != unguided


def test_clips_that_the_binder_does_not_know_are_an_error(comfyui: Server) -> None:
    with pytest.raises(PromptFailed, match="Loudness does not know the clips 'released'. Choose one of: short"):
        score(comfyui, without_report(heard(**STEERED) | search(clips="released")))


def test_conditions_of_another_packs_binder_are_refused_by_ours(comfyui: Server) -> None:
    prompt = heard() | {"other": node("OtherPackLoudnessBinder"), "binder": text_to_sound()["binder"]}
    prompt["condition"]["inputs"]["binder"] = ["other", 0]
    with pytest.raises(PromptFailed, match="encoded with another binder than the ImageBind in use"):
        score(comfyui, without_report(prompt))


def without_report(prompt: Prompt) -> Prompt:
    """The prompt without Alignment Score, whose clips this binder does not know."""
    return {name: node for name, node in prompt.items() if name != "score"}
