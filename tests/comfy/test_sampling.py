"""The guided sampler in a real ComfyUI, where everything runs in inference mode and belongs to the host."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from aligner.binders.imagebind import save_imagebind
from aligner.media import read_audio
from laboratory.random_models import load_random_imagebind

from .client import Prompt, PromptFailed
from .interrupting import interrupted_and_run_again
from .prompts import (
    DEMO,
    STEERED,
    condition,
    cosine,
    cosines,
    gradient,
    loaders,
    node,
    opening_values,
    sampler,
    scored,
    search,
    text_to_sound,
    without,
)
from .server import Server

RUNS = 10


def moved(**inputs: Any) -> Prompt:
    """A sound that the released rule moves."""
    return text_to_sound(**STEERED, **inputs) | gradient()


def test_the_gradient_flows_and_raises_the_score(comfyui: Server, random_models: Prompt) -> None:
    unguided, guided = (cosine(comfyui.client.run(moved(guided=guided) | random_models)) for guided in (False, True))
    assert guided > unguided + 0.01


def test_a_search_finds_a_sound_that_fits(comfyui: Server) -> None:
    rain = {"condition": condition(text="rain")}
    unguided, guided = (cosine(comfyui.client.run(text_to_sound(guided=guided) | rain)) for guided in (False, True))
    assert guided > unguided + 0.2


def test_an_unconnected_guidance_is_a_new_search_settings_node(comfyui: Server) -> None:
    """Nodes as the page opens them give the same samples with and without the settings node."""
    fresh = {
        "binder": "SeeingHearingLoadImageBind",
        "audio_generator": "SeeingHearingLoadAudioLDM",
        "condition": "SeeingHearingEncodeCondition",
        "guidance": "SeeingHearingSearchSettings",
        "sampler": "SeeingHearingAudioSampler",
    }
    prompt = {name: node(node_id, **opening_values(comfyui, node_id)) for name, node_id in fresh.items()}
    for loader in ("binder", "audio_generator"):
        prompt[loader]["inputs"]["model"] = DEMO
    prompt["condition"]["inputs"] |= {"binder": ["binder", 0], "text": "rain falls"}
    prompt["sampler"]["inputs"] |= {name: [name, 0] for name in ("audio_generator", "binder")}
    prompt["sampler"]["inputs"] |= {"conditions": ["condition", 0], "length": "seconds", "seconds": 1.0, "steps": 5}
    unconnected = prompt["sampler"]
    connected = node(unconnected["class_type"], **unconnected["inputs"], **STEERED)

    def samples(sampler: dict[str, Any]) -> torch.Tensor:
        save = node("SaveAudio", audio=["sampler", 0], filename_prefix="fresh")
        (file,) = comfyui.client.run(prompt | {"sampler": sampler, "save": save})["save"]["audio"]
        return read_audio(comfyui.folder / file["type"] / file["subfolder"] / file["filename"])[0]

    searched = samples(unconnected)
    assert torch.equal(samples(connected), searched)
    prompt["guidance"]["inputs"]["audio_candidates"] = 1
    prompt["guidance"]["inputs"]["then"] = ["moved", 0]
    prompt["moved"] = gradient()["guidance"]
    assert not torch.equal(samples(connected), searched), "a connected node counts"


def test_a_gradient_rule_moves_what_a_search_chose(comfyui: Server, random_models: Prompt) -> None:
    few = {"audio_candidates": 3, "compare": "mean", "clips": "seconds"}
    prompt = text_to_sound(**STEERED) | random_models
    then = {"moved": gradient()["guidance"], **search(**few, then=["moved", 0])}
    assert cosine(comfyui.client.run(prompt | then)) > cosine(comfyui.client.run(prompt | search(**few)))


def test_a_condition_of_another_binder_of_the_same_width_is_refused(comfyui: Server, random_models: Prompt) -> None:
    """Their embeddings have the same shape and mean nothing to each other."""
    save_imagebind(load_random_imagebind(seed=9), comfyui.folder / "models" / "imagebind" / "other.safetensors")
    other = loaders(imagebind="other.safetensors")["binder"]
    encoded = {"other": other, "condition": condition(text="rain", binder=["other", 0])}
    prompt = text_to_sound() | random_models | encoded
    with pytest.raises(PromptFailed, match="encoded with another binder than the ImageBind in use. Encode it again"):
        comfyui.client.run(without_score(prompt))


def without_score(prompt: Prompt) -> Prompt:
    """The sampler's result is the only output."""
    kept = {name: node for name, node in prompt.items() if name != "score"}
    return kept | {"play": node("PreviewAudio", audio=["sampler", 0])}


def test_a_search_is_interrupted_within_a_step(comfyui: Server) -> None:
    def searching(**inputs: Any) -> Prompt:
        return text_to_sound(**STEERED, **inputs) | search(audio_candidates=25)

    interrupted_and_run_again(comfyui.client, searching)


@pytest.mark.parametrize(
    "settings",
    [
        {"rule": "paper", "audio_rate": 30.0},
        {"audio_prompt_rate": 0.01, "inner_steps": 2},
        {"checkpointing": False, "compare": "per_clip", "clips": "spread"},
    ],
    ids=["paper", "prompt tuning", "no checkpointing"],
)
def test_every_gradient_rule_raises_the_score(comfyui: Server, random_models: Prompt, settings: dict) -> None:
    unguided = cosine(comfyui.client.run(moved(guided=False) | random_models))
    assert cosine(comfyui.client.run(moved() | random_models | gradient(**settings))) > unguided


def test_interrupt_ends_the_run_within_a_step_and_the_next_run_works(comfyui: Server) -> None:
    interrupted_and_run_again(comfyui.client, moved, steps=300, reached=70)


def test_many_runs_do_not_grow_memory(comfyui: Server) -> None:
    for seed in range(2):
        comfyui.client.run(moved(seed=100 + seed))
    before = comfyui.resident_bytes()
    for seed in range(RUNS // 2 if comfyui.is_oldest else RUNS):
        comfyui.client.run(moved(seed=200 + seed))
    assert comfyui.resident_bytes() < before * 1.05


def test_a_run_after_memory_was_freed_gives_the_same(comfyui: Server) -> None:
    first = cosine(comfyui.client.run(text_to_sound(seed=21)))
    comfyui.client.free()
    comfyui.client.run(
        {
            "image": node("EmptyImage", width=64, height=64, batch_size=1, color=0),
            "show": node("PreviewImage", images=["image", 0]),
        }
    )
    assert cosine(comfyui.client.run(text_to_sound(seed=21))) == first


def test_variations_are_refined_from_a_latent(comfyui: Server) -> None:
    prompt = moved(variations=2) | {
        "sampler 2": sampler(latent=["sampler", 4], denoise=0.5, variations=2, seed=4, **STEERED),
        **scored("sampler 2"),
        "save": node("SaveAudio", audio=["sampler 2", 0], filename_prefix="refined"),
    }
    outputs = comfyui.client.run(prompt)
    assert len(outputs["save"]["audio"]) == 2
    assert len(outputs["score"]["text"][0].splitlines()) == 2


def test_frames_of_core_nodes_and_generated_sounds_are_conditions(comfyui: Server) -> None:
    prompt = loaders() | {
        "video": node("LoadVideo", file="seeing_and_hearing_example.mp4"),
        "parts": node("GetVideoComponents", video=["video", 0]),
        "frames": condition(image=["parts", 0], fps=["parts", 2]),
        "condition": condition(text="wind", weight=-0.5, conditions=["frames", 0]),
        "sampler": sampler(length="same as video"),
        **scored(),
        "heard": condition(audio=["sampler", 0]),
        "sampler 2": sampler(conditions=["heard", 0], seed=9),
        "play": node("PreviewAudio", audio=["sampler 2", 0]),
    }
    outputs = comfyui.client.run(prompt)
    assert list(cosines(outputs["score"]["text"][0])) == [
        "audio ~ video",
        "audio ~ text",
    ]
    assert outputs["play"]["audio"]


def test_a_rate_that_the_sound_contradicts_is_pointed_out(comfyui: Server) -> None:
    """The example clip has 16 frames and lasts 2 s, as the example sound does."""
    for fps, is_wrong in ((24.0, True), (8.0, False)):
        prompt = text_to_sound(guided=False, steps=2) | {
            "video": node("LoadVideo", file="seeing_and_hearing_example.mp4"),
            "sound": node("LoadAudio", audio="seeing_and_hearing_example.wav"),
            "parts": node("GetVideoComponents", video=["video", 0]),
            "condition": condition(image=["parts", 0], audio=["sound", 0], fps=fps),
        }
        before = len(comfyui.client.events)
        comfyui.client.run(prompt)
        said = [event.data["text"] for event in comfyui.client.events[before:] if event.type == "text"]
        assert any("16 frames at 24 fps last 0.7 s, but the sound lasts 2.0 s" in text for text in said) == is_wrong


def test_a_trimmed_video_is_as_long_as_its_trim(comfyui: Server) -> None:
    if "Video Slice" not in comfyui.client.object_info():
        pytest.skip("this ComfyUI cannot trim videos")
    prompt = loaders() | {
        "video": node("LoadVideo", file="seeing_and_hearing_example.mp4"),
        "slice": node("Video Slice", video=["video", 0], start_time=0.25, duration=1.5, strict_duration=False),
        "condition": condition(video=["slice", 0]),
        "sampler": sampler(length="same as video"),
        "save": node("SaveAudio", audio=["sampler", 0], filename_prefix="trimmed"),
    }
    (saved,) = comfyui.client.run(prompt)["save"]["audio"]
    waveform, rate = read_audio(comfyui.folder / saved["type"] / saved["subfolder"] / saved["filename"])
    assert waveform.shape[1] / rate == pytest.approx(1.5, abs=1 / 24)


def test_without_a_binder_it_is_plain_audioldm(comfyui: Server) -> None:
    plain = without(sampler(prompt="wind"), "binder", "conditions")
    outputs = comfyui.client.run(loaders() | {"sampler": plain, "play": node("PreviewAudio", audio=["sampler", 0])})
    assert outputs["play"]["audio"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"condition": condition(text="rain", weight=0.0)}, "every condition has weight 0"),
        ({"condition": condition()}, "nothing to encode"),
        ({"sampler": sampler(denoise=0.5)}, "nothing is connected to start from"),
        (
            {
                "sampler": sampler(latent=["image latent", 0]),
                "image latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
            },
            "shape",
        ),
        ({"sampler": sampler(steps=2, **STEERED), **gradient(start=0.9)}, "holds none"),
        ({"sampler": sampler(**STEERED), **gradient(audio_rate=0.0)}, "moves nothing"),
        ({"sampler": sampler(**STEERED), **gradient(start=0.6, end=0.3)}, "Give a start below the end"),
        (
            {"sampler": sampler(**STEERED), "first": search()["guidance"], **search(then=["first", 0])},
            "cannot be followed by another search",
        ),
        ({"sampler": sampler(**STEERED), **search(audio_candidates=1)}, "has one candidate"),
        (
            {
                "video": node("LoadVideo", file="seeing_and_hearing_example.mp4"),
                "parts": node("GetVideoComponents", video=["video", 0]),
                "condition": condition(audio=["parts", 1]),
            },
            "has no sound",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_an_error_that_names_it(comfyui: Server, changes: dict, message: str) -> None:
    with pytest.raises(PromptFailed, match=message):
        comfyui.client.run(text_to_sound() | changes)
