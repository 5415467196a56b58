"""Timelines, blends, saved conditions, masks and windows in a real ComfyUI."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from aligner.conditions.saved import load_conditions
from aligner.media import read_audio

from .client import Prompt, PromptFailed
from .prompts import (
    EXAMPLE_SOUND,
    EXAMPLE_VIDEO,
    STEERED,
    condition,
    gradient,
    loaders,
    node,
    sampler,
    search,
    shown,
    sound_to_video,
    text_to_sound,
    without,
)
from .server import Server

#: A search among few noises.
SEARCH = search(audio_candidates=4)
#: A sound as a latent, whose second half is made anew.
MASKED_SOUND = {
    **loaders(),
    "sound": node("LoadAudio", audio=EXAMPLE_SOUND),
    "latent": node("SeeingHearingEncodeSound", audio_generator=["audio_generator", 0], audio=["sound", 0]),
    "masked": node("SeeingHearingMaskSeconds", latent=["latent", 0], start=1.0, end=2.0, fade=0.0, fps=8.0),
}


def score(server: Server, prompt: Prompt, output: int = 3) -> float:
    return float(server.client.run(prompt | shown("sampler", output))["shown"]["text"][0])


def timeline(**inputs: Any) -> dict[str, Any]:
    return node(
        "SeeingHearingConditionTimeline",
        **{
            "conditions": ["condition", 0],
            "source_start": 0.0,
            "source_end": 0.0,
            "start": 0.0,
            "end": 0.0,
            "strength": "",
            "schedule": "",
        }
        | inputs,
    )


def saved_sound(server: Server, prompt: Prompt, source: str = "sampler") -> tuple[torch.Tensor, int]:
    outputs = server.client.run(prompt | {"save": node("SaveAudio", audio=[source, 0], filename_prefix="sound")})
    (file,) = outputs["save"]["audio"]
    return read_audio(server.folder / file["type"] / file["subfolder"] / file["filename"])


def test_a_timeline_changes_what_a_condition_asks_for(comfyui: Server) -> None:
    video = {"video": node("LoadVideo", file=EXAMPLE_VIDEO), "condition": condition(video=["video", 0])}
    plain = text_to_sound(**STEERED, seconds=2.0) | SEARCH | video
    shifted = plain | {"placed": timeline(source_start=1.0, end=1.0, strength="0: 1, 1: 0.5", schedule="0: 1, 1: 0")}
    shifted["sampler"] = sampler(**STEERED, seconds=2.0, conditions=["placed", 0])
    assert score(comfyui, plain) != score(comfyui, shifted)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"start": 1.5}, "steers 1.5 s to the end, but the result lasts 1 s"),
        ({"start": 0.5, "end": 0.2}, "does not"),
        ({"strength": "0: loud"}, "'0: loud' is not a point of a curve"),
        ({"schedule": "0: 0"}, "0 everywhere"),
    ],
)
def test_a_timeline_that_counts_nowhere_is_an_error(comfyui: Server, changes: dict, message: str) -> None:
    prompt = text_to_sound(conditions=["placed", 0]) | {"placed": timeline(**changes)}
    with pytest.raises(PromptFailed, match=message):
        comfyui.client.run(prompt)


def test_conditions_are_blended_saved_and_loaded(comfyui: Server) -> None:
    several = {
        "other": condition(text="rain", weight=-0.5, conditions=["condition", 0]),
        "blend": node("SeeingHearingBlendConditions", conditions=["other", 0], weight=1.0),
        "keep": node("SeeingHearingSaveConditions", conditions=["blend", 0], filename_prefix="mine/blend"),
    }
    blended = text_to_sound(conditions=["keep", 0]) | several
    outputs = comfyui.client.run(blended | shown("sampler", 3))
    (line,) = outputs["keep"]["text"]
    assert line == "conditions/mine/blend_00001_.safetensors"
    (held,) = load_conditions(comfyui.folder / "output" / line)
    assert held.embedding.modality == "blend"
    load = node("SeeingHearingLoadConditions", file="mine/blend_00001_.safetensors")
    again = text_to_sound(conditions=["loaded", 0]) | {"loaded": load}
    assert score(comfyui, again) == float(outputs["shown"]["text"][0]) != score(comfyui, text_to_sound())


@pytest.mark.parametrize("prefix", ["../../elsewhere", "C:\\elsewhere", "/elsewhere"])
def test_what_is_saved_stays_in_the_output_folder(comfyui: Server, prefix: str) -> None:
    prompt = loaders() | {
        "condition": condition(text="rain falls"),
        "keep": node("SeeingHearingSaveConditions", conditions=["condition", 0], filename_prefix=prefix),
    }
    with pytest.raises(PromptFailed, match="must stay inside of the output folder"):
        comfyui.client.run(prompt)


@pytest.mark.parametrize("prefix", ["long" * 30, "長い名前" * 19])
def test_names_of_many_bytes_are_saved(comfyui: Server, prefix: str) -> None:
    prompt = loaders() | {
        "condition": condition(text="rain falls"),
        "keep": node("SeeingHearingSaveConditions", conditions=["condition", 0], filename_prefix=prefix),
    }
    outputs = comfyui.client.run(prompt)
    (line,) = outputs["keep"]["text"]
    assert (comfyui.folder / "output" / line).is_file() and prefix in line


def test_names_of_too_many_bytes_are_refused(comfyui: Server) -> None:
    prompt = loaders() | {
        "condition": condition(text="rain falls"),
        "keep": node("SeeingHearingSaveConditions", conditions=["condition", 0], filename_prefix="長い" * 50),
    }
    with pytest.raises(PromptFailed, match="holds a name of 300 bytes, but 236 is the most here"):
        comfyui.client.run(prompt)


def test_a_mask_hides_a_part_of_a_picture(comfyui: Server) -> None:
    def seen(**inputs: Any) -> float:
        prompt = text_to_sound(guided=False, conditions=["condition", 0]) | {
            "video": node("LoadVideo", file=EXAMPLE_VIDEO),
            "condition": condition(video=["video", 0], **inputs),
            "mask": node("SolidMask", value=1.0, width=8, height=8),
            "hole": node("SolidMask", value=0.0, width=8, height=4),
            "part": node("MaskComposite", destination=["mask", 0], source=["hole", 0], x=0, y=0, operation="multiply"),
        }
        return score(comfyui, prompt)

    assert seen(mask=["mask", 0]) == pytest.approx(seen(), abs=1e-4)
    assert seen(mask=["part", 0]) != pytest.approx(seen(), abs=1e-3)
    with pytest.raises(PromptFailed, match="mask of a condition is empty"):
        seen(mask=["hole", 0])


def test_some_seconds_of_a_sound_are_made_anew(comfyui: Server) -> None:

    def made(**inputs: Any) -> torch.Tensor:
        plain = sampler(latent=["masked", 0], guided=False, steps=10, prompt="a siren wails", **inputs)
        prompt = MASKED_SOUND | {"sampler": without(plain, "binder", "conditions")}
        (waveform, rate) = saved_sound(comfyui, prompt)
        assert rate == 16000
        return waveform[0]

    first, second = made(seed=1), made(seed=2)
    assert len(first) == 32000
    # The latent is kept to the bit. VAE and vocoder look beyond the mask, so that the sound is kept nearly.
    kept, new = ((first[part] - second[part]).square().mean().sqrt() for part in (slice(0, 8000), slice(20000, 32000)))
    assert kept < 0.2 * new


def test_a_gradient_steers_what_is_made_anew(comfyui: Server) -> None:
    """The gradient passes through a mask that another node made in inference mode."""
    wires = {"latent": ["masked", 0], **STEERED}

    def made(**inputs: Any) -> float:
        steered = {"condition": condition(text="a dog barks"), "sampler": sampler(**wires, **inputs), **gradient()}
        return score(comfyui, MASKED_SOUND | steered)

    assert made() != made(guided=False)


def test_a_region_of_a_video_is_made_anew(comfyui: Server) -> None:
    """Set Latent Noise Mask and Mask Seconds apply together."""
    client = comfyui.client
    prompt = sound_to_video(guided=False, steps=8) | {
        "mask": node("SolidMask", value=1.0, width=32, height=32),
        "hole": node("SolidMask", value=0.0, width=16, height=32),
        "right": node("MaskComposite", destination=["mask", 0], source=["hole", 0], x=0, y=0, operation="multiply"),
        "region": node("SetLatentNoiseMask", samples=["sampler", 5], mask=["right", 0]),
        "masked": node("SeeingHearingMaskSeconds", latent=["region", 0], start=0.25, end=0.5, fade=0.0, fps=8.0),
    }
    prompt["again"] = {
        "class_type": prompt["sampler"]["class_type"],
        "inputs": prompt["sampler"]["inputs"] | {"latent": ["masked", 0], "seed": 9},
    }
    keep = {
        name: node("SaveLatent", samples=[source, 5], filename_prefix=f"latents/{name}")
        for name, source in (("before", "sampler"), ("after", "again"))
    }
    client.run(prompt | keep)
    from safetensors.torch import load_file

    before, after = (
        load_file(next((comfyui.folder / "output" / "latents").glob(f"{name}_*.latent")))["latent_tensor"]
        for name in keep
    )
    same = (before - after).abs().amax(dim=1) < 1e-5
    half = same.shape[2] // 2
    assert same[:2].all() and same[:, :, :half].all()
    assert not same[2:, :, half:].any()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"start": 1.0, "end": 1.0}, "must end after its start"),
        ({"start": 3.0, "end": 4.0}, "lasts 2 s, and the part that is made anew starts at 3 s"),
    ],
)
def test_a_part_outside_of_the_latent_is_an_error(comfyui: Server, changes: dict, message: str) -> None:
    prompt = MASKED_SOUND | {
        "masked": node("SeeingHearingMaskSeconds", latent=["latent", 0], fade=0.0, fps=8.0, **changes),
        "keep": node("SaveLatent", samples=["masked", 0], filename_prefix="latents/masked"),
    }
    with pytest.raises(PromptFailed, match=message):
        comfyui.client.run(prompt)


def test_a_long_sound_is_made_in_windows(comfyui: Server) -> None:
    waveform, rate = saved_sound(comfyui, text_to_sound(**STEERED, seconds=5.0, window_seconds=2.0) | SEARCH)
    assert waveform.shape[1] == 5 * rate
    with pytest.raises(PromptFailed, match="A window must last 2 s or longer, not 0.5 s"):
        comfyui.client.run(text_to_sound(window_seconds=0.5))


def test_windows_of_a_video_slide(comfyui: Server) -> None:
    outputs = comfyui.client.run(sound_to_video(frames=6, window_frames=4, guided=False))
    assert len(outputs["save"]["images"]) == 6
    with pytest.raises(PromptFailed, match="can look at 4 to 32 frames at once, not 33"):
        comfyui.client.run(sound_to_video(frames=40, window_frames=33, guided=False))
