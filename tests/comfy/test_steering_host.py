"""Steer Model among what an artist does with ComfyUI: LoRAs, subgraphs, several models, freed memory, cancelled runs.

-m slow runs a hundred prompts in a row.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from .client import Client, Prompt
from .native_prompts import KINDS, NATIVE_LORA, SAMPLERS, Between, Link, plain, shown_by
from .prompts import choices, node, search
from .server import Server
from .steered_prompts import SAMPLER_NAMES, SEED, STEPS, seed_of, steering

#: The largest growth of memory from its level after SETTLED prompts, and the part of the later ones that is cancelled.
GROWTH, SETTLED, CANCELLED = 1.10, 10, 0.2


def with_lora(prompt: Prompt, model: Link) -> Link:
    prompt["lora"] = node("LoraLoaderModelOnly", model=model, lora_name=NATIVE_LORA, strength_model=1.0)
    return ["lora", 0]


def with_patch(name: str, **values: Any) -> Between:
    def patched(prompt: Prompt, model: Link) -> Link:
        prompt["patch"] = node(name, model=model, **values)
        return ["patch", 0]

    return patched


def chained(*betweens: Between) -> Between:
    def every(prompt: Prompt, model: Link) -> Link:
        for between in betweens:
            model = between(prompt, model)
        return model

    return every


def in_a_subgraph(prompt: Prompt, *names: str) -> Prompt:
    """The same prompt as the page queues it where these nodes are in a subgraph: their ids have two parts."""
    renamed = {name: f"17:{name}" for name in names}

    def link(value: Any) -> Any:
        return [renamed.get(value[0], value[0]), value[1]] if isinstance(value, list) else value

    return {
        renamed.get(name, name): each | {"inputs": {key: link(value) for key, value in each["inputs"].items()}}
        for name, each in prompt.items()
    }


def test_a_lora_before_or_after_steering_gives_the_same(comfyui: Server, lora: str) -> None:
    results = set()
    for between in (chained(with_lora, steering("sd15")), chained(steering("sd15"), with_lora)):
        steered = comfyui.client.run(plain("sd15", seed=SEED, steps=STEPS, between=between))
        again = comfyui.client.run(plain("sd15", seed=seed_of(steered), steps=STEPS, between=with_lora))
        assert shown_by(steered)["sha256"] == shown_by(again)["sha256"]
        results.add(shown_by(steered)["sha256"])
    without = comfyui.client.run(plain("sd15", seed=seed_of(steered), steps=STEPS))
    assert len(results) == 1 and shown_by(without)["sha256"] not in results


def test_two_models_of_one_graph_are_steered_each_by_its_own_conditions(comfyui: Server) -> None:
    prompt = plain("sd15", seed=SEED, steps=STEPS, between=steering("sd15"))
    second = plain("sd15", seed=SEED + 50, steps=STEPS, between=steering("sd15"))
    second["condition"]["inputs"]["text"] = "rain on a roof"
    shared = {"native", "binder", "guidance"}
    prompt |= {name: each for name, each in in_a_subgraph(second, *(set(second) - shared)).items() if ":" in name}
    outputs = comfyui.client.run(prompt)
    for seed, shown in (("seed", "fingerprint"), ("17:seed", "17:fingerprint")):
        again = comfyui.client.run(plain("sd15", seed=int(outputs[seed]["text"][0]), steps=STEPS))
        assert shown_by(outputs, shown)["sha256"] == shown_by(again)["sha256"]


def test_a_model_is_sampled_twice_and_each_result_has_its_own_report(comfyui: Server) -> None:
    prompt = plain("sd15", seed=SEED, steps=STEPS, between=steering("sd15"))
    prompt["second"] = node("KSampler", **prompt["sampler"]["inputs"] | {"seed": SEED + 20})
    prompt["second report"] = node("SeeingHearingSteeringReport", steering=["steer", 1], latent=["second", 0])
    prompt["second seed"] = node("PreviewAny", source=["second report", 2])
    # Both samplers are done before the first report.
    prompt["report"]["inputs"]["latent"] = ["first of both", 0]
    prompt["first of both"] = node("LatentFromBatch", samples=["both", 0], batch_index=0, length=1)
    prompt["both"] = node("LatentBatch", samples1=["sampler", 0], samples2=["second", 0])
    outputs = comfyui.client.run(prompt)
    first, second = (int(outputs[name]["text"][0]) for name in ("seed", "second seed"))
    assert SEED <= first < SEED + 10 and SEED + 20 <= second < SEED + 30


def test_freed_memory_and_other_models_change_no_result(comfyui: Server) -> None:
    client, results = comfyui.client, set()
    for _ in range(2):
        results.add(shown_by(client.run(plain("sd15", seed=SEED, steps=STEPS, between=steering("sd15"))))["sha256"])
        client.run(plain("flux", seed=SEED, steps=STEPS, between=steering("flux")))
        client.free()
    assert len(results) == 1


PATCHES: tuple[Between | None, ...] = (
    None,
    None,
    with_lora,
    with_patch("APG", eta=1.0, norm_threshold=5.0, momentum=0.5),
    with_patch("TCFG"),
    with_patch("EasyCache", reuse_threshold=0.2, start_percent=0.15, end_percent=0.95, verbose=False),
)


def drawn(draw: random.Random, kinds: list[str], number: int) -> Prompt:
    """A random prompt of an artist who steers."""
    kind = draw.choice(kinds)
    patch = draw.choice(PATCHES) if kind == "sd15" else None
    guidance = search(audio_candidates=3, video_candidates=3, at=0.5) if draw.random() < 0.8 else search(at=0.3)
    steer = steering(kind, guidance)
    prompt = plain(
        kind,
        draw.choice(SAMPLER_NAMES),
        seed=number,
        steps=draw.choice((4, STEPS)),
        through=draw.choice(list(SAMPLERS)),
        mask=draw.random() < 0.2,
        batch_size=draw.choice((1, 1, 2)),
        weights=draw.choice((0, 1)),
        between=chained(patch, steer) if patch else steer,
    )
    return in_a_subgraph(prompt, "steer", "sampler", "condition") if draw.random() < 0.3 else prompt


@pytest.mark.parametrize("prompts", [15, pytest.param(100, marks=pytest.mark.slow)])
def test_many_steered_prompts_leave_the_server_as_it_was(comfyui: Server, lora: str, prompts: int) -> None:
    client, draw, before = comfyui.client, random.Random(1), len(comfyui.log())
    kinds = [kind for kind in KINDS if kind in choices(comfyui, "TestNativeModel", "kind")]
    unlucky = draw.sample(range(SETTLED, prompts), round(CANCELLED * (prompts - SETTLED)))
    level = cancelled = 0
    for number in range(prompts):
        prompt = drawn(draw, kinds, number)
        if number in unlucky:
            cancelled += interrupted(client, prompt)
        else:
            client.run(prompt)
        if number % 7 == 6:
            client.free()
        if number == SETTLED:
            level = comfyui.resident_bytes()
    assert cancelled >= 0.5 * len(unlucky)
    assert comfyui.resident_bytes() < GROWTH * level
    assert "Traceback" not in comfyui.log()[before:]


def interrupted(client: Client, prompt: Prompt) -> bool:
    """Queue a prompt of many steps and interrupt it in its first ones. Returns whether that was in time."""
    for name in ("sampler", "17:sampler", "sigmas"):
        if "steps" in prompt.get(name, {}).get("inputs", {}):
            prompt[name]["inputs"]["steps"] = 200
    prompt_id = client.queue(prompt)
    client.wait_for(
        lambda event: event.prompt_id == prompt_id and event.type in ("progress", "execution_success"), timeout=120
    )
    client.interrupt()
    return client.wait(prompt_id)["status"]["status_str"] != "success"
