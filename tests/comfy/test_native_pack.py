"""The random native models that stand in for real ones in a real ComfyUI. See native_pack."""

from __future__ import annotations

import math
from typing import Any

import pytest

from .client import Prompt
from .native_prompts import (
    JOINT,
    KINDS,
    SAMPLED,
    SAMPLERS,
    SOUNDS,
    counted,
    decoded,
    fingerprinted,
    plain,
    shown_by,
)
from .prompts import choices, node, shown
from .server import Server

#: What every version has.
OLD = {"sd15", "flux", "wan", "stable_audio"}
SHAPES = {
    "sd15": [[1, 4, 8, 8]],
    "flux": [[1, 16, 8, 8]],
    "wan": [[1, 16, 3, 8, 8]],
    "ace15": [[1, 64, 25]],
    "stable_audio": [[1, 64, 22]],
    "ltxav": [[1, 128, 3, 2, 2], [1, 8, 17, 16]],
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, comfyui: Server) -> str:
    if request.param not in choices(comfyui, "TestNativeModel", "kind"):
        pytest.skip("this ComfyUI has no such model")
    return request.param


def fingerprint(server: Server, prompt: Prompt, name: str = "fingerprint") -> dict[str, Any]:
    return shown_by(server.client.run(prompt), name)


def test_the_kinds_are_those_that_this_comfyui_has(comfyui: Server) -> None:
    kinds = set(choices(comfyui, "TestNativeModel", "kind"))
    assert kinds >= OLD and kinds <= set(KINDS)
    assert (kinds == set(KINDS)) == ("EmptyAceStep1.5LatentAudio" in comfyui.client.object_info())


@pytest.mark.parametrize("sampler_name", ["euler", "dpmpp_2m_sde"])
def test_a_seed_is_a_result(comfyui: Server, kind: str, sampler_name: str) -> None:
    def sampled(seed: int) -> dict[str, Any]:
        return fingerprint(comfyui, plain(kind, sampler_name, seed=seed, between=counted))

    first, again, other = sampled(1), sampled(1), sampled(2)
    assert again == first and other["sha256"] != first["sha256"]
    assert first["shapes"] == SHAPES[kind]
    for mean, another, deviation in zip(first["means"], other["means"], first["deviations"]):
        assert math.isfinite(deviation) and deviation > 0.1
        assert mean != another, "each stream depends on the noise"


def test_a_model_that_is_made_again_is_the_same(comfyui: Server, kind: str) -> None:
    prompt = plain(kind, mask=True, between=counted) | decoded(kind)
    first = comfyui.client.run(prompt)
    made = comfyui.log().count("model_type")
    comfyui.client.free()
    comfyui.client.run({"text": node("PrimitiveString", value="later"), **shown("text", 0)})
    assert comfyui.client.run(prompt) == first
    assert comfyui.log().count("model_type") == made + 1
    assert fingerprint(comfyui, plain(kind, mask=True, weights=1)) != shown_by(first)


def test_decoders_give_finite_pictures_and_sounds(comfyui: Server, kind: str) -> None:
    first, other = (comfyui.client.run(plain(kind, seed=seed, batch_size=2) | decoded(kind)) for seed in (1, 2))
    what = ["sound"] if kind in SOUNDS else ["picture", "sound"] if kind in JOINT else ["picture"]
    assert set(first) == {"fingerprint", *what}
    for name in what:
        figures = shown_by(first, name)
        (mean,), (deviation,) = figures["means"], figures["deviations"]
        assert math.isfinite(mean) and 0.01 < deviation < 1
        assert figures["sha256"] != shown_by(other, name)["sha256"]


def test_every_sampler_node_gives_the_same(comfyui: Server) -> None:
    results = [fingerprint(comfyui, plain("sd15", "euler_ancestral", through=name)) for name in SAMPLERS]
    assert results == results[:1] * len(SAMPLERS)


def test_calls_and_rows_are_counted(comfyui: Server, kind: str) -> None:
    for cfg, prompts in ((3.0, 2), (1.0, 1)):
        prompt = plain(kind, steps=3, cfg=cfg, batch_size=2, between=counted)
        for _ in range(2):
            assert fingerprint(comfyui, prompt, "count") == {"calls": 3, "rows": 3 * 2 * prompts}


def test_what_follows_a_count_is_counted_anew(comfyui: Server) -> None:
    prompt = plain("sd15", steps=3, between=counted)
    again = {"latent_image": ["count", 0], "steps": 2}
    prompt["sampler again"] = node("KSampler", **prompt["sampler"]["inputs"] | again)
    prompt["count again"] = node("TestCount", samples=["sampler again", 0], name="model")
    outputs = comfyui.client.run(prompt)
    assert [shown_by(outputs, name)["calls"] for name in ("count", "count again")] == [3, 2]


def test_a_mask_keeps_half(comfyui: Server, kind: str) -> None:
    def sampled(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        kept = fingerprinted("kept half", samples=SAMPLED, kept=True)
        outputs = comfyui.client.run(plain(kind, seed=seed, mask=True) | kept)
        return shown_by(outputs, "kept half"), shown_by(outputs)

    (kept, whole), (kept_again, another) = sampled(1), sampled(2)
    assert kept["means"] == pytest.approx(kept_again["means"], abs=1e-5)
    assert kept["deviations"] == pytest.approx([1] * len(SHAPES[kind]), abs=0.2)
    for figures in ("means", "deviations"):
        assert whole[figures] != pytest.approx(another[figures], abs=1e-3)


@pytest.mark.parametrize("stream", [0, 1])
def test_a_stream_of_a_joint_latent_is_kept(comfyui: Server, stream: int) -> None:
    if "ltxav" not in choices(comfyui, "TestNativeModel", "kind"):
        pytest.skip("this ComfyUI has no joint models")

    def sampled(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        kept = fingerprinted("kept stream", samples=SAMPLED, kept=True)
        outputs = comfyui.client.run(plain("ltxav", seed=seed, kept_stream=stream) | kept)
        return shown_by(outputs, "kept stream"), shown_by(outputs)

    (kept, whole), (_, another) = sampled(1), sampled(2)
    assert kept["shapes"] == [[math.prod(SHAPES["ltxav"][stream])]]
    assert kept["means"][0] == pytest.approx(whole["means"][stream], abs=1e-5)
    assert whole["deviations"][stream] == pytest.approx(1, abs=0.1)
    assert whole["deviations"][1 - stream] != pytest.approx(another["deviations"][1 - stream], abs=1e-3)
