"""Steer Model in a real ComfyUI: the chosen seed gives the same result bit for bit, at the counted cost."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from PIL import Image

from .client import Client, Event, Prompt
from .native_prompts import (
    KINDS,
    MODEL,
    POSITIVE,
    SAMPLED,
    VAE,
    Link,
    counted,
    fingerprinted,
    plain,
    shown_by,
)
from .prompts import choices, condition, cosine, gradient, loaders, node, scored, search
from .server import Server
from .steered_prompts import CANDIDATES, FEW, SAMPLER_NAMES, SEED, STEPS, seed_of, steering, text_of


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, comfyui: Server) -> str:
    if request.param not in choices(comfyui, "TestNativeModel", "kind"):
        pytest.skip("this ComfyUI has no such model")
    return request.param


def same_as_plain(server: Server, kind: str, **settings: Any) -> int:
    """Steer, then sample plainly with the reported seed. Returns the candidate."""
    steered = server.client.run(plain(kind, seed=SEED, steps=STEPS, between=steering(kind), **settings))
    seed = seed_of(steered)
    again = server.client.run(plain(kind, seed=seed, steps=STEPS, **settings))
    assert shown_by(steered)["sha256"] == shown_by(again)["sha256"]
    assert 0 <= seed - SEED < CANDIDATES
    return seed - SEED


@pytest.mark.parametrize("sampler_name", SAMPLER_NAMES)
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("through", ["KSampler", "SamplerCustomAdvanced"])
def test_the_chosen_seed_gives_the_same_picture(comfyui: Server, sampler_name: str, through: str, mask: bool) -> None:
    same_as_plain(comfyui, "sd15", sampler_name=sampler_name, through=through, mask=mask)


@pytest.mark.parametrize("sampler_name", ["euler", "dpmpp_2m_sde"])
def test_the_chosen_seed_gives_the_same_result_of_any_model(comfyui: Server, kind: str, sampler_name: str) -> None:
    same_as_plain(comfyui, kind, sampler_name=sampler_name)


@pytest.mark.parametrize("settings", [{"through": "KSamplerAdvanced"}, {"through": "SamplerCustom"}, {"cfg": 1.0}])
def test_every_way_to_sample_is_steered(comfyui: Server, settings: dict[str, Any]) -> None:
    same_as_plain(comfyui, "sd15", **settings)


def test_some_other_seed_than_the_first_is_chosen(comfyui: Server) -> None:
    """Otherwise the tests above would show little."""
    chosen = {same_as_plain(comfyui, "sd15", weights=weights) for weights in range(4)}
    assert len(chosen) > 1


def test_a_batch_is_chosen_as_a_whole(comfyui: Server) -> None:
    same_as_plain(comfyui, "sd15", batch_size=2)


def test_steps_are_taken_once(comfyui: Server) -> None:
    """N candidates for k of S steps take N k + S - k evaluations of the model."""

    def between(prompt: Prompt, model: Link) -> Link:
        return steering("sd15")(prompt, counted(prompt, model))

    outputs = comfyui.client.run(plain("sd15", seed=SEED, steps=STEPS, between=between))
    after = int(0.4 * STEPS)
    expected = CANDIDATES * after + STEPS - after
    assert shown_by(outputs, "count")["calls"] == expected
    assert f"{expected} evaluations of the model, {CANDIDATES} decodings" in text_of(outputs, "words")


def test_a_funnel_tries_many_and_follows_few(comfyui: Server) -> None:
    guidance = search(video_candidates=6, at=0.5, funnel="0.2: 2")
    outputs = comfyui.client.run(plain("sd15", seed=SEED, steps=10, between=steering("sd15", guidance)))
    assert f"{6 * 2 + 2 * 3 + 5} evaluations" in text_of(outputs, "words")
    again = comfyui.client.run(plain("sd15", seed=seed_of(outputs), steps=10))
    assert shown_by(outputs)["sha256"] == shown_by(again)["sha256"]


@pytest.mark.parametrize("stream", [0, 1])
def test_one_stream_of_a_joint_model_is_kept(comfyui: Server, stream: int) -> None:
    if "ltxav" not in choices(comfyui, "TestNativeModel", "kind"):
        pytest.skip("this ComfyUI has no joint models")
    same_as_plain(comfyui, "ltxav", kept_stream=stream)


def test_a_cache_of_steps_belongs_to_one_candidate(comfyui: Server) -> None:
    """EasyCache keeps a state over a whole run, before or after Steer Model."""

    def cached(prompt: Prompt, model: Link) -> Link:
        prompt["cache"] = node(
            "EasyCache", model=model, reuse_threshold=0.5, start_percent=0.0, end_percent=1.0, verbose=False
        )
        return ["cache", 0]

    def before(prompt: Prompt, model: Link) -> Link:
        return steering("sd15")(prompt, cached(prompt, model))

    def after(prompt: Prompt, model: Link) -> Link:
        return cached(prompt, steering("sd15")(prompt, model))

    for between in (before, after):
        steered = comfyui.client.run(plain("sd15", seed=SEED, steps=STEPS, between=between))
        again = comfyui.client.run(plain("sd15", seed=seed_of(steered), steps=STEPS, between=cached))
        assert shown_by(steered)["sha256"] == shown_by(again)["sha256"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("APG", {"eta": 1.0, "norm_threshold": 5.0, "momentum": 0.5}),
        ("TCFG", {}),
        ("FreeU_V2", {}),
        ("SelfAttentionGuidance", {}),
    ],
)
def test_functions_of_guidance_see_every_step(comfyui: Server, name: str, settings: dict[str, Any]) -> None:
    """APG keeps a momentum; it runs again on what is played. What SelfAttentionGuidance remembers cannot be played."""
    values = {
        input_name: options[1]["default"]
        for input_name, options in comfyui.client.object_info()[name]["input"]["required"].items()
        if len(options) > 1 and "default" in options[1]
    }

    def patched(prompt: Prompt, model: Link) -> Link:
        prompt["patch"] = node(name, model=model, **values | settings)
        return ["patch", 0]

    def both(prompt: Prompt, model: Link) -> Link:
        return steering("sd15")(prompt, patched(prompt, model))

    steered = comfyui.client.run(plain("sd15", seed=SEED, steps=STEPS, between=both))
    again = comfyui.client.run(plain("sd15", seed=seed_of(steered), steps=STEPS, between=patched))
    assert shown_by(steered)["sha256"] == shown_by(again)["sha256"]


@pytest.mark.parametrize("place", ["model_function_wrapper", "apply_model", "diffusion_model", "object_patch"])
def test_what_a_pack_keeps_from_step_to_step_belongs_to_one_candidate(comfyui: Server, place: str) -> None:
    def stateful(prompt: Prompt, model: Link) -> Link:
        prompt["stateful"] = node("TestStatefulModel", model=model, place=place)
        return ["stateful", 0]

    def both(prompt: Prompt, model: Link) -> Link:
        return steering("sd15")(prompt, stateful(prompt, model))

    steered = comfyui.client.run(plain("sd15", seed=SEED, steps=STEPS, between=both))
    again = comfyui.client.run(plain("sd15", seed=seed_of(steered), steps=STEPS, between=stateful))
    assert shown_by(steered)["sha256"] == shown_by(again)["sha256"]


def test_a_sampler_that_adds_no_noise_samples_as_usual(comfyui: Server) -> None:
    prompt = plain("sd15", through="KSamplerAdvanced", mask=True, between=steering("sd15"))
    prompt["sampler"]["inputs"]["add_noise"] = "disable"
    other = plain("sd15", through="KSamplerAdvanced", mask=True)
    other["sampler"]["inputs"]["add_noise"] = "disable"
    outputs = comfyui.client.run(prompt)
    assert shown_by(outputs)["sha256"] == shown_by(comfyui.client.run(other))["sha256"]
    assert "adds no noise" in text_of(outputs, "words")


def test_the_first_of_two_experts_is_chosen_at_its_end(comfyui: Server) -> None:
    def experts(between: Any = None) -> Prompt:
        prompt = plain("wan", seed=SEED, steps=STEPS, through="KSamplerAdvanced", between=between)
        first = prompt["sampler"]["inputs"]
        prompt["second"] = node(
            "KSamplerAdvanced",
            **first | {"model": MODEL, "latent_image": SAMPLED, "add_noise": "disable", "start_at_step": 3},
        )
        first |= {"end_at_step": 3, "return_with_leftover_noise": "enable"}
        return prompt | fingerprinted(samples=["second", 0])

    steered = comfyui.client.run(experts(steering("wan")))
    assert "after 3 of 3 steps" in text_of(steered, "words")
    plainly = experts()
    for name in ("sampler", "second"):
        plainly[name]["inputs"]["noise_seed"] = seed_of(steered)
    again = comfyui.client.run(plainly)
    assert shown_by(steered)["sha256"] == shown_by(again)["sha256"]


def test_keyframes_of_hooks_count_the_steps_of_one_candidate(comfyui: Server, lora: str) -> None:
    def scheduled(prompt: Prompt) -> Prompt:
        previous: dict[str, Any] = {}
        for number, (strength, start) in enumerate(((1.0, 0.0), (0.5, 0.15), (2.0, 0.3))):
            values = {"strength_mult": strength, "start_percent": start, **previous}
            prompt[f"key {number}"] = node("CreateHookKeyframe", **values)
            previous = {"prev_hook_kf": [f"key {number}", 0]}
        prompt["hook"] = node("CreateHookLoraModelOnly", lora_name=lora, strength_model=1.0)
        prompt["keyed"] = node("SetHookKeyframes", hooks=["hook", 0], hook_kf=["key 2", 0])
        hooked = {"cond_NEW": POSITIVE, "strength": 1.0, "set_cond_area": "default", "hooks": ["keyed", 0]}
        prompt["hooked"] = node("ConditioningSetProperties", **hooked)
        prompt["sampler"]["inputs"]["positive"] = ["hooked", 0]
        return prompt

    steered = comfyui.client.run(scheduled(plain("sd15", seed=SEED, steps=10, between=steering("sd15"))))
    again = comfyui.client.run(scheduled(plain("sd15", seed=seed_of(steered), steps=10)))
    assert shown_by(steered)["sha256"] == shown_by(again)["sha256"]


def test_a_schedule_that_is_sampled_twice_stays_as_it_was(comfyui: Server) -> None:
    """uni_pc changes the last level of noise in place, and ComfyUI keeps the schedule for the next prompt."""
    for seed in (SEED, SEED + 1):
        prompt = plain(
            "sd15", "uni_pc", seed=seed, steps=STEPS, through="SamplerCustomAdvanced", between=steering("sd15")
        )
        assert "after 2 of 6 steps" in text_of(comfyui.client.run(prompt), "words")


def test_the_report_shows_every_candidate_and_the_preview_names_them(comfyui: Server) -> None:
    client = comfyui.client
    prompt_id = client.queue(plain("flux", seed=SEED + 1, steps=STEPS, between=steering("flux")))
    entry = client.wait(prompt_id)
    (image,) = entry["outputs"]["report"]["images"]
    picture = Image.open(comfyui.folder / "temp" / image["filename"])
    assert picture.width == 1280
    words = "\n".join(entry["outputs"]["words"]["text"])
    assert re.search(r"Seed \d+ fits best: -?\d\.\d{3}", words) and "3 candidates were compared after 2 of 6" in words
    previews = client.events_of(prompt_id, "preview")
    assert previews and Image.open(io.BytesIO(previews[-1].image)).width >= 256


def progress_of(client: Client, prompt_id: str) -> list[tuple[int, int]]:
    return [(event.data["value"], event.data["max"]) for event in client.events_of(prompt_id, "progress")]


def test_one_bar_counts_the_steps_of_all_candidates(comfyui: Server) -> None:
    client = comfyui.client
    prompt_id = client.queue(plain("sd15", seed=SEED + 2, steps=10, between=steering("sd15")))
    client.wait(prompt_id)
    rehearsals = [value for value, most in progress_of(client, prompt_id) if most == CANDIDATES * 4]
    assert rehearsals == sorted(rehearsals) and rehearsals[-1] == CANDIDATES * 4


def test_a_rehearsal_is_interrupted_within_a_step(comfyui: Server) -> None:
    client = comfyui.client
    prompt = plain("sd15", seed=SEED, steps=400, between=steering("sd15", search(video_candidates=2, at=0.9)))
    prompt_id = client.queue(prompt)

    def under_way(event: Event) -> bool:
        return event.type == "progress" and event.prompt_id == prompt_id and event.data["value"] >= 20

    client.wait_for(under_way)
    client.interrupt()
    entry = client.wait(prompt_id)
    assert "execution_interrupted" in dict(entry["status"]["messages"])
    # ComfyUI reports progress only now and then.
    assert progress_of(client, prompt_id)[-1] <= (60, 720)
    same_as_plain(comfyui, "sd15")


@pytest.mark.parametrize("sampler_name", ["euler", "dpmpp_2m", "euler_ancestral"])
def test_gradients_move_the_result_towards_the_condition(comfyui: Server, sampler_name: str) -> None:
    """Measured on the finished sound, against plain sampling with the same seed."""

    def final_score(between: Any = None) -> float:
        prompt = plain("stable_audio", sampler_name, seed=SEED, steps=8, between=between)
        prompt |= {"binder": loaders()["binder"], "condition": condition(text="a bell rings")}
        prompt["heard"] = node("VAEDecodeAudio", samples=SAMPLED, vae=VAE)
        return cosine(comfyui.client.run(prompt | scored("heard")))

    assert final_score(steering("stable_audio", gradient(audio_rate=0.1))) > final_score() + 0.03


def test_gradients_follow_the_search(comfyui: Server) -> None:
    guidance = search(**FEW, then=["moving", 0]) | {"moving": gradient(video_rate=0.1)["guidance"]}
    outputs = comfyui.client.run(plain("wan", seed=SEED, steps=STEPS, between=steering("wan", guidance)))
    assert "Gradients moved the result at 4 steps" in text_of(outputs, "words")


def test_gradients_need_no_noise_of_their_own(comfyui: Server) -> None:
    """The second of two experts adds none, and a search has nothing to choose from there."""
    guidance = search(**FEW, then=["moving", 0]) | {"moving": gradient(video_rate=0.1)["guidance"]}
    prompt = plain("wan", steps=STEPS, through="KSamplerAdvanced", mask=True, between=steering("wan", guidance))
    prompt["sampler"]["inputs"]["add_noise"] = "disable"
    words = text_of(comfyui.client.run(prompt), "words")
    assert "adds no noise" in words and "Gradients moved the result at 4 steps" in words


def test_one_guidance_serves_both_experts(comfyui: Server) -> None:
    """The first is searched, and the second moved by gradients."""
    guidance = search(**FEW, then=["moving", 0]) | {"moving": gradient(video_rate=0.1)["guidance"]}
    prompt = plain("wan", seed=SEED, steps=STEPS, through="KSamplerAdvanced", between=steering("wan", guidance))
    prompt["sampler"]["inputs"] |= {"end_at_step": 3, "return_with_leftover_noise": "enable"}
    words = text_of(comfyui.client.run(prompt), "words")
    assert "after 3 of 3 steps" in words and "Gradients move the sampler that follows" in words


def test_a_latent_that_was_changed_since_is_not_taken_for_a_result(comfyui: Server) -> None:
    prompt = plain("sd15", seed=SEED, steps=STEPS, between=steering("sd15"))
    prompt["smaller"] = node("LatentUpscaleBy", samples=SAMPLED, upscale_method="nearest-exact", scale_by=0.5)
    prompt["report"]["inputs"]["latent"] = ["smaller", 0]
    assert "not what this MODEL sampled" in text_of(comfyui.client.run(prompt), "words")
    prompt["report"]["inputs"]["latent"] = SAMPLED
    assert "not what this MODEL sampled" not in text_of(comfyui.client.run(prompt), "words")
