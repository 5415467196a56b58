"""Binders beside ImageBind in a real ComfyUI: every template runs on them, and conditions know their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from laboratory.random_clap import write_random_clap
from laboratory.random_pe_av import write_random_pe_av

from .client import Prompt, PromptFailed, PromptRefused
from .prompts import EXAMPLE_VIDEO, condition, loaders, node, sampler, scored, search, workflow_prompt
from .server import Server
from .workflows import RUNNABLE

PE_AV, CLAP = "pe-av-tiny", "clap-tiny"
#: Few steps and candidates: these tests are about the binder.
STEPS = ("steps", "audio_steps")
FEW = search(audio_candidates=2, video_candidates=2)


@pytest.fixture(scope="module")
def binders(comfyui: Server) -> Prompt:
    """Loaders of a small PE-AV and a small CLAP with random weights."""
    models = comfyui.folder / "models"
    for name in ("pe_av", "clap"):
        (models / name).mkdir(exist_ok=True)
    write_random_pe_av(models / "pe_av" / PE_AV)
    write_random_clap(models / "clap" / CLAP)
    return {
        "pe_av": node("SeeingHearingLoadPEAV", model=PE_AV, precision="auto"),
        "clap": node("SeeingHearingLoadCLAP", model=CLAP, precision="auto"),
    }


@pytest.mark.parametrize("workflow", RUNNABLE, ids=lambda path: path.stem)
def test_every_template_runs_on_pe_av(comfyui: Server, binders: Prompt, workflow: Path) -> None:
    prompt = workflow_prompt(comfyui, workflow)
    replaced = [name for name, each in prompt.items() if each["class_type"] == "SeeingHearingLoadImageBind"]
    assert replaced
    assert comfyui.client.run({**quick(prompt), **dict.fromkeys(replaced, binders["pe_av"])})


def quick(prompt: Prompt) -> Prompt:
    """The same with few steps and candidates."""
    made = {}
    for name, each in prompt.items():
        inputs = each["inputs"] | {step: 4 for step in STEPS if isinstance(each["inputs"].get(step), int)}
        if each["class_type"] == "SeeingHearingSearchSettings":
            inputs |= {"audio_candidates": 2, "video_candidates": 2}
        elif each["class_type"].endswith("Sampler") and "guided" in inputs and "guidance" not in inputs:
            inputs["guidance"] = ["few", 0]
        made[name] = each | {"inputs": inputs}
    return made | {"few": FEW["guidance"]}


@pytest.mark.parametrize("name", ["pe_av", "clap"])
def test_a_text_steers_a_sound(comfyui: Server, binders: Prompt, name: str) -> None:
    prompt = {
        **loaders(),
        "binder": binders[name],
        "condition": condition(text="no music", weight=-1.0),
        "sampler": sampler(guidance=["guidance", 0]),
        **FEW,
        **scored(),
    }
    outputs = comfyui.client.run(prompt)
    assert "audio ~ text" in str(outputs["score"])


def test_conditions_of_another_binder_are_refused(comfyui: Server, binders: Prompt) -> None:
    prompt = {
        **loaders(),
        "other": binders["pe_av"],
        "condition": condition(binder=["other", 0], text="a ball bounces"),
        "sampler": sampler(),
        **scored(),
    }
    with pytest.raises(PromptFailed, match="encoded with another binder than the ImageBind in use"):
        comfyui.client.run(prompt)


def test_saved_conditions_keep_their_binder(comfyui: Server, binders: Prompt) -> None:
    saved = {
        "binder": binders["pe_av"],
        "condition": condition(text="rain"),
        "save": node("SeeingHearingSaveConditions", conditions=["condition", 0], filename_prefix="pe_av"),
    }
    comfyui.client.run(saved)
    (file,) = (comfyui.folder / "output" / "conditions").glob("pe_av*.safetensors")
    used = {
        **loaders(),
        "binder": binders["pe_av"],
        "condition": node("SeeingHearingLoadConditions", file=file.name),
        "sampler": sampler(guidance=["guidance", 0]),
        **FEW,
        **scored(),
    }
    assert "audio ~ text" in str(comfyui.client.run(used)["score"])
    with pytest.raises(PromptFailed, match="encoded with another binder"):
        comfyui.client.run({**used, "binder": loaders()["binder"]})


def test_clap_sees_no_clip(comfyui: Server, binders: Prompt) -> None:
    prompt = {
        "binder": binders["clap"],
        "picture": node("EmptyImage", width=32, height=32, batch_size=1, color=0),
        "condition": condition(image=["picture", 0]),
        "save": node("SeeingHearingSaveConditions", conditions=["condition", 0], filename_prefix="clap"),
    }
    with pytest.raises(PromptFailed, match="CLAP embeds text, audio, but no image"):
        comfyui.client.run(prompt)


def test_a_missing_folder_is_named(comfyui: Server) -> None:
    prompt = {
        "binder": node("SeeingHearingLoadPEAV", model="pe-av-huge", precision="auto"),
        "condition": condition(text="rain"),
        "save": node("SeeingHearingSaveConditions", conditions=["condition", 0], filename_prefix="none"),
    }
    with pytest.raises(PromptRefused, match="pe-av-huge"):
        comfyui.client.run(prompt)


def combined(binders: Prompt, first: str, second: str, **weights: float) -> Prompt:
    """Two binders on one link, "binder"."""
    wires = {"binder_1": [first, 0], "binder_2": [second, 0], "weight_1": 1.0, "weight_2": 0.5}
    return {**binders, "binder": node("SeeingHearingCombineBinders", **wires | weights)}


@pytest.mark.parametrize(("first", "second"), [("pe_av", "clap"), ("clap", "pe_av")])
def test_two_binders_steer_together(comfyui: Server, binders: Prompt, first: str, second: str) -> None:
    prompt = {
        **loaders(),
        **combined(binders, first, second),
        "clip": node("LoadVideo", file=EXAMPLE_VIDEO),
        "condition": condition(text="a thud", video=["clip", 0]),
        "sampler": sampler(guidance=["guidance", 0]),
        **FEW,
        **scored(),
    }
    report = str(comfyui.client.run(prompt)["score"])
    assert all(f"({name})" in report for name in ("PE-AV", "CLAP"))
    assert "video (PE-AV), in sync" in report, "what a clip says of timing counts, whichever binder is first"
    assert "video (CLAP)" not in report, "CLAP sees nothing"


def test_three_binders_are_two_and_one(comfyui: Server, binders: Prompt) -> None:
    two = combined(binders, "pe_av", "clap")
    wires = {"binder_1": ["two", 0], "binder_2": ["toy", 0], "weight_1": 1.0, "weight_2": 1.0}
    prompt = {
        **loaders(),
        **two,
        "two": two["binder"],
        "toy": loaders()["binder"],
        "binder": node("SeeingHearingCombineBinders", **wires),
        "condition": condition(text="a thud"),
        "sampler": sampler(guidance=["guidance", 0]),
        **FEW,
        **scored(),
    }
    report = str(comfyui.client.run(prompt)["score"])
    assert all(f"({name})" in report for name in ("PE-AV", "CLAP", "ImageBind"))


def test_a_binder_is_not_combined_with_itself(comfyui: Server, binders: Prompt) -> None:
    prompt = {**combined(binders, "pe_av", "pe_av"), "condition": condition(text="rain")}
    prompt["save"] = node("SeeingHearingSaveConditions", conditions=["condition", 0], filename_prefix="same")
    with pytest.raises(PromptFailed, match="combined with itself"):
        comfyui.client.run(prompt)
