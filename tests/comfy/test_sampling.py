"""The guided sampler in a real ComfyUI, where everything runs in inference mode and belongs to the host."""

from __future__ import annotations

import pytest

from aligner.media import read_audio

from .client import Prompt, PromptFailed
from .interrupting import interrupted_and_run_again
from .prompts import (
    condition,
    cosine,
    guidance,
    loaders,
    node,
    opening_values,
    sampler,
    scored,
    text_to_sound,
)
from .server import Server

RUNS = 10


def test_the_gradient_flows_and_raises_the_score(comfyui: Server, random_models: Prompt) -> None:
    unguided, guided = (
        cosine(comfyui.client.run(text_to_sound(guided=guided) | random_models)) for guided in (False, True)
    )
    assert guided > unguided + 0.01


def test_a_search_finds_what_fits(comfyui: Server) -> None:
    """New nodes' own settings: every input that the page would fill in by itself is left out of none."""
    search = {
        "guidance": guidance(**opening_values(comfyui, "SeeingHearingGuidanceSettings")),
        "condition": condition(text="rain"),
    }
    unguided, guided = (
        cosine(comfyui.client.run(text_to_sound(guided=steer, guidance=["guidance", 0]) | search))
        for steer in (False, True)
    )
    assert guided > unguided + 0.2


def test_a_search_is_interrupted_within_a_step(comfyui: Server) -> None:
    def searching(**inputs) -> Prompt:
        search = guidance(rule="search", candidates=25)
        return text_to_sound(guidance=["guidance", 0], **inputs) | {"guidance": search}

    interrupted_and_run_again(comfyui.client, searching)


@pytest.mark.parametrize(
    "settings",
    [
        {"rule": "paper", "learning_rate": 30.0},
        {"prompt_rate": 0.01, "inner_steps": 2},
        {"checkpointing": True, "compare": "per_clip", "clips": "upstream"},
    ],
    ids=["paper", "prompt tuning", "checkpointing"],
)
def test_every_kind_of_guidance_runs(comfyui: Server, random_models: Prompt, settings: dict) -> None:
    prompt = text_to_sound(guidance=["guidance", 0]) | random_models | {"guidance": guidance(**settings)}
    unguided = cosine(comfyui.client.run(text_to_sound(guided=False) | random_models))
    assert cosine(comfyui.client.run(prompt)) > unguided


def test_interrupt_ends_the_run_within_a_step_and_the_next_run_works(comfyui: Server) -> None:
    interrupted_and_run_again(comfyui.client, text_to_sound, steps=300, reached=70)


def test_ten_runs_do_not_grow_memory(comfyui: Server) -> None:
    for seed in range(2):
        comfyui.client.run(text_to_sound(seed=100 + seed))
    before = comfyui.resident_bytes()
    for seed in range(RUNS):
        comfyui.client.run(text_to_sound(seed=200 + seed))
    assert comfyui.resident_bytes() < before * 1.05


def test_runs_again_after_memory_was_freed(comfyui: Server) -> None:
    first = cosine(comfyui.client.run(text_to_sound(seed=21)))
    comfyui.client.free()
    comfyui.client.run(
        {
            "image": node("EmptyImage", width=64, height=64, batch_size=1, color=0),
            "show": node("PreviewImage", images=["image", 0]),
        }
    )
    assert cosine(comfyui.client.run(text_to_sound(seed=21))) == first


def test_variations_and_refining_a_latent(comfyui: Server) -> None:
    prompt = text_to_sound(variations=2) | {
        "sampler 2": sampler(latent=["sampler", 3], denoise=0.5, variations=2, seed=4),
        **scored("sampler 2"),
        "save": node("SaveAudio", audio=["sampler 2", 0], filename_prefix="refined"),
    }
    outputs = comfyui.client.run(prompt)
    assert len(outputs["save"]["audio"]) == 2
    assert len(outputs["score"]["text"][0].splitlines()) == 2


def test_frames_in_memory_and_their_soundtrack_as_conditions(comfyui: Server) -> None:
    """LoadVideo's frames through core nodes; a soundtrack of the sampler's own making."""
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
    assert [line.split(":")[0] for line in outputs["score"]["text"][0].splitlines()] == [
        "audio ~ video",
        "audio ~ text",
    ]
    assert outputs["play"]["audio"]


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


def test_without_imagebind_it_is_plain_audioldm(comfyui: Server) -> None:
    plain = sampler(prompt="wind")
    del plain["inputs"]["imagebind"], plain["inputs"]["conditions"]
    outputs = comfyui.client.run(loaders() | {"sampler": plain, "play": node("PreviewAudio", audio=["sampler", 0])})
    assert outputs["play"]["audio"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"sampler": sampler(length="same as video")}, "no video among the conditions"),
        (
            {
                "sampler": sampler(length="same as video"),
                "condition": condition(image=["picture", 0]),
                "picture": node("EmptyImage", width=64, height=48, batch_size=1, color=255),
            },
            "no video among the conditions",
        ),
        ({"condition": condition(text="rain", weight=0.0)}, "every condition has weight 0"),
        ({"condition": condition()}, "nothing to encode"),
        ({"sampler": sampler(denoise=0.5)}, "no audio latent"),
        (
            {
                "sampler": sampler(latent=["image latent", 0]),
                "image latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
            },
            "shape",
        ),
        ({"sampler": sampler(steps=2, guidance=["guidance", 0]), "guidance": guidance(start=0.9)}, "holds none"),
        ({"sampler": sampler(guidance=["guidance", 0]), "guidance": guidance(learning_rate=0.0)}, "moves nothing"),
        ({"sampler": sampler(guidance=["guidance", 0]), "guidance": guidance(start=0.6, end=0.3)}, "window"),
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
