"""Prompt embeddings in a real ComfyUI: tuned, saved, loaded and used again."""

from __future__ import annotations

import pytest

from aligner.generators.tuned_prompts import load_tuned_prompt

from .client import Client, Prompt, PromptFailed, PromptRefused
from .prompts import (
    STEERED,
    animatediff,
    choices,
    gradient,
    joint,
    loaders,
    node,
    shown,
    sound_to_video,
    text_to_sound,
)
from .server import Server

LOAD = "SeeingHearingLoadTunedPrompt"


def score(client: Client, prompt: Prompt, output: int) -> float:
    return float(client.run(prompt | shown("sampler", output))["shown"]["text"][0])


def test_a_tuned_prompt_is_saved_loaded_and_used_again(comfyui: Server) -> None:
    client = comfyui.client
    assert choices(comfyui, LOAD, "file") == []  # the node exists without files
    saving = node("SeeingHearingSaveTunedPrompt", tuned_prompt=["sampler", 6], filename_prefix="ball")
    moved = sound_to_video(**STEERED) | gradient()
    (line,) = client.run(moved | {"keep": saving})["keep"]["text"]
    assert line == "tuned_prompts/ball_00001_.safetensors"
    tuned = load_tuned_prompt(comfyui.folder / "output" / line)
    assert tuned.texts == {"video": "a ball bounces"} and list(tuned.embeddings) == ["video"]

    name = "ball_00001_.safetensors"
    assert choices(comfyui, LOAD, "file") == [name]
    loaded = {"tuned": node(LOAD, file=name)}
    plain = score(client, sound_to_video(guided=False), 4)
    reused = score(client, sound_to_video(guided=False, tuned_prompt=["tuned", 0]) | loaded, 4)
    assert reused != plain
    first = {"first": moved["sampler"], "guidance": moved["guidance"]}
    again = sound_to_video(guided=False, tuned_prompt=["first", 6]) | first
    assert reused == score(client, again, 4), "the file holds the embedding of the output"
    # A joint run uses it for the video alone.
    plain = score(client, joint(guided=False), 5)
    assert score(client, joint(guided=False, tuned_prompt=["tuned", 0]) | loaded, 5) != plain
    with pytest.raises(PromptFailed, match="is for video, but audio is generated"):
        client.run(text_to_sound(tuned_prompt=["tuned", 0]) | loaded)


def test_prompt_tuning_alone_moves_the_score(comfyui: Server) -> None:
    """The paper's figure 7, for sound and for video: no latent moves."""
    client = comfyui.client
    tuning = gradient(audio_rate=0.0, audio_prompt_rate=0.02, video_rate=0.0, video_prompt_rate=0.05)
    for prompt, output in ((text_to_sound, 3), (sound_to_video, 4)):
        tuned, plain = (
            score(client, prompt(steps=8, guided=guided, **STEERED) | tuning, output) for guided in (True, False)
        )
        assert tuned > plain


def test_a_tuned_sound_prompt_starts_another_run(comfyui: Server) -> None:
    first = text_to_sound(**STEERED, variations=2) | gradient(audio_prompt_rate=0.05)
    again = {"first": first["sampler"], "guidance": first["guidance"]}
    plain = score(comfyui.client, text_to_sound(guided=False), 3)
    assert score(comfyui.client, text_to_sound(guided=False, tuned_prompt=["first", 5]) | again, 3) != plain


def test_a_damaged_file_is_an_error_that_names_it(comfyui: Server) -> None:
    folder = comfyui.folder / "models" / "tuned_prompts"
    folder.mkdir(exist_ok=True)
    (folder / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(PromptFailed, match="broken.safetensors"):
        comfyui.client.run(
            loaders()
            | animatediff()
            | {
                "load": node(LOAD, file="broken.safetensors"),
                "keep": node("SeeingHearingSaveTunedPrompt", tuned_prompt=["load", 0], filename_prefix="again"),
            }
        )


def test_a_prompt_of_the_other_stream_is_an_error(comfyui: Server) -> None:
    sound, video = text_to_sound(guided=False, tuned_prompt=["video sampler", 6]), sound_to_video(guided=False)
    with pytest.raises(PromptFailed, match="is for video, but audio is generated"):
        comfyui.client.run({**video, **sound, "video sampler": video["sampler"]})


@pytest.mark.parametrize("prefix, message", [("", "filename_prefix is empty"), ("../up", "must stay inside")])
def test_prompts_are_saved_in_the_output_folder_alone(comfyui: Server, prefix: str, message: str) -> None:
    prompt = text_to_sound(guided=False)
    del prompt["score"]  # ComfyUI runs the outputs that it does not refuse
    prompt["save"] = node("SeeingHearingSaveTunedPrompt", tuned_prompt=["sampler", 5], filename_prefix=prefix)
    with pytest.raises(PromptRefused, match=message):
        comfyui.client.queue(prompt)
