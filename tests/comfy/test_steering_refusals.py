"""What Steer Model cannot do ends in a sentence before anything is sampled."""

from __future__ import annotations

import pytest

from .client import Prompt, PromptFailed
from .native_prompts import Link, plain
from .prompts import choices, gradient, node, search
from .server import Server
from .steered_prompts import FEW, SEED, steering

REFUSED = {
    "a VAE": ("sd15", {"vae": None}, {}, "needs a VAE"),
    "a VAE of another model": ("sd15", {"vae": ["other", 4]}, {}, "Connect the VAE that decodes what this MODEL makes"),
    "a weight": ("sd15", {}, {"weight": 0.0}, "no condition to follow"),
    "a step after the choice": (
        "sd15",
        {"guidance": ["late", 0]},
        {},
        "Guidance moves nothing",
    ),
    "a latent that moves": ("sd15", {"guidance": ["prompts", 0]}, {}, "Guidance moves nothing"),
    "a stream that is made": ("sd15", {}, {"streams": "audio"}, "no VAE decodes it. Connect its VAE to audio_vae"),
}


@pytest.mark.parametrize("missing", REFUSED)
def test_what_cannot_work_is_refused_before_sampling(comfyui: Server, missing: str) -> None:
    kind, inputs, changed, sentence = REFUSED[missing]
    prompt = plain(kind, seed=SEED, between=steering(kind))
    prompt["other"] = node("TestNativeModel", kind="flux", batch_size=1, weights=0)
    prompt["early"] = gradient(video_rate=0.1, start=0.0, end=0.2)["guidance"]
    prompt["late"] = search(**FEW | {"at": 0.5}, then=["early", 0])["guidance"]
    prompt["prompts"] = gradient(video_rate=0.0, video_prompt_rate=0.1)["guidance"]
    prompt["condition"]["inputs"] |= changed
    for name, link in inputs.items():
        if link is None:
            del prompt["steer"]["inputs"][name]
        else:
            prompt["steer"]["inputs"][name] = link
    before = len(comfyui.client.events)
    with pytest.raises(PromptFailed, match=sentence):
        comfyui.client.run(prompt)
    assert not any(event.type == "progress" for event in comfyui.client.events[before:])


@pytest.mark.parametrize("sampler_name", ["dpm_fast", "dpm_adaptive"])
def test_samplers_without_steps_are_named(comfyui: Server, sampler_name: str) -> None:
    with pytest.raises(PromptFailed, match=f"{sampler_name} chooses its own steps"):
        comfyui.client.run(plain("sd15", sampler_name, seed=SEED, between=steering("sd15")))


def test_the_rule_of_the_paper_says_that_it_cannot_steer_a_model(comfyui: Server) -> None:
    with pytest.raises(PromptFailed, match="the rule code"):
        comfyui.client.run(plain("sd15", seed=SEED, between=steering("sd15", gradient(rule="paper"))))


def test_a_decoder_without_a_gradient_says_that_search_works(comfyui: Server) -> None:
    if "ltxav" not in choices(comfyui, "TestNativeModel", "kind"):
        pytest.skip("this ComfyUI has no joint models")
    with pytest.raises(PromptFailed, match="Steer by Search Settings"):
        comfyui.client.run(plain("ltxav", seed=SEED, between=steering("ltxav", gradient())))


def test_a_model_is_steered_once(comfyui: Server) -> None:
    def twice(prompt: Prompt, model: Link) -> Link:
        once = steering("sd15")(prompt, model)
        prompt["again"] = {
            "class_type": "SeeingHearingSteerModel",
            "inputs": prompt["steer"]["inputs"] | {"model": once},
        }
        return ["again", 0]

    with pytest.raises(PromptFailed, match="steered already"):
        comfyui.client.run(plain("sd15", seed=SEED, between=twice))
