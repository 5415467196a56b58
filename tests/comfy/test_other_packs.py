"""Nodes of another pack on our sockets in a real ComfyUI. See other_pack.py."""

from __future__ import annotations

from typing import Any

import pytest

from .client import Prompt, PromptFailed
from .native_prompts import plain
from .prompts import (
    EXAMPLE_SOUND,
    STEERED,
    condition,
    gradient,
    node,
    search,
    shown,
    text_to_sound,
)
from .server import Server
from .steered_prompts import steering


def score(server: Server, prompt: Prompt) -> float:
    """The score of the sampler, without Alignment Score: our comparison does not suit every binder."""
    kept = {name: node for name, node in prompt.items() if name != "score"}
    return float(server.client.run(kept | shown("sampler", 3))["shown"]["text"][0])


def test_a_rule_of_another_pack_guides_a_sampler(comfyui: Server) -> None:
    def scaled(factor: float) -> Prompt:
        return text_to_sound(**STEERED) | {"guidance": node("OtherPackScaledNoise", factor=factor)}

    unguided = score(comfyui, text_to_sound(guided=False))
    assert score(comfyui, scaled(1.0)) == unguided
    assert score(comfyui, scaled(5.0)) != unguided


def test_a_rule_of_another_pack_follows_a_search(comfyui: Server) -> None:
    def searched(**wires: Any) -> float:
        other = {"other": node("OtherPackScaledNoise", factor=5.0)}
        return score(comfyui, text_to_sound(**STEERED) | other | search(audio_candidates=2, **wires))

    assert searched(then=["other", 0]) != searched()


def heard(**inputs: Any) -> Prompt:
    """A sound that follows the example sound. The binder of another pack compares them."""
    return text_to_sound(seed=4, **inputs) | {
        "binder": node("OtherPackLoudnessBinder"),
        "sound": node("LoadAudio", audio=EXAMPLE_SOUND),
        "condition": condition(audio=["sound", 0]),
    }


def test_a_binder_of_another_pack_steers_and_scores(comfyui: Server) -> None:
    unguided = score(comfyui, heard(guided=False))
    assert score(comfyui, heard()) > unguided
    assert score(comfyui, heard(**STEERED) | gradient(clips="short")) > unguided


def test_clips_that_the_binder_does_not_know_are_an_error(comfyui: Server) -> None:
    with pytest.raises(PromptFailed, match="Loudness does not know the clips 'seconds'. Choose one of: short"):
        score(comfyui, heard(**STEERED) | search(clips="seconds"))


def test_conditions_of_another_packs_binder_are_refused_by_ours(comfyui: Server) -> None:
    prompt = heard() | {"other": node("OtherPackLoudnessBinder"), "binder": text_to_sound()["binder"]}
    prompt["condition"]["inputs"]["binder"] = ["other", 0]
    with pytest.raises(PromptFailed, match="encoded with another binder than the ImageBind in use"):
        score(comfyui, prompt)


def test_conditions_of_another_packs_binder_do_not_steer_a_model(comfyui: Server) -> None:
    prompt = plain("stable_audio", between=steering("stable_audio"))
    prompt |= {"other": node("OtherPackLoudnessBinder"), "sound": node("LoadAudio", audio=EXAMPLE_SOUND)}
    prompt["condition"] = condition(audio=["sound", 0])
    prompt["condition"]["inputs"]["binder"] = ["other", 0]
    with pytest.raises(PromptFailed, match="encoded with another binder than the ImageBind in use"):
        comfyui.client.run(prompt)


def test_a_binder_of_another_pack_steers_a_model(comfyui: Server) -> None:
    prompt = plain("stable_audio", between=steering("stable_audio", search(clips="short", audio_candidates=2)))
    prompt |= {"binder": node("OtherPackLoudnessBinder"), "sound": node("LoadAudio", audio=EXAMPLE_SOUND)}
    prompt["condition"] = condition(audio=["sound", 0])
    assert "2 candidates were compared" in comfyui.client.run(prompt)["words"]["text"][0]
