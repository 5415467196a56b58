"""Prompt embeddings in a real ComfyUI: tuned, saved, loaded and used again."""

from __future__ import annotations

import pytest

from aligner.generators.tuned_prompts import load_tuned_prompt

from .client import Client, Prompt, PromptFailed
from .prompts import (
    animatediff,
    guidance,
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
    assert choices(client) == []  # and yet the node exists
    saving = node("SeeingHearingSaveTunedPrompt", tuned_prompt=["sampler", 5], filename_prefix="ball")
    (line,) = client.run(sound_to_video() | {"keep": saving})["keep"]["text"]
    assert line == "tuned_prompts/ball_00001_.safetensors"
    tuned = load_tuned_prompt(comfyui.folder / "output" / line)
    assert tuned.texts == {"video": "a ball bounces"} and list(tuned.embeddings) == ["video"]

    name = "ball_00001_.safetensors"
    assert choices(client) == [name]
    loaded = {"tuned": node(LOAD, file=name)}
    plain = score(client, sound_to_video(guided=False), 4)
    reused = score(client, sound_to_video(guided=False, tuned_prompt=["tuned", 0]) | loaded, 4)
    assert reused != plain
    assert reused == score(
        client, sound_to_video(guided=False, tuned_prompt=["first", 5]) | {"first": sound_to_video()["sampler"]}, 4
    ), "a file holds what the output held"
    # A joint run takes the stream that it has.
    plain = score(client, joint(guided=False), 4)
    assert score(client, joint(guided=False, tuned_prompt=["tuned", 0]) | loaded, 4) != plain
    with pytest.raises(PromptFailed, match="is for video, but audio is generated"):
        client.run(text_to_sound(tuned_prompt=["tuned", 0]) | loaded)


def test_prompt_tuning_alone_moves_the_score(comfyui: Server) -> None:
    """The paper's figure 7, for the sampler of sound and the one of video: the latents are left alone."""
    client = comfyui.client
    tuning = {"guidance": guidance(learning_rate=0.0, prompt_rate=0.02, video_rate=0.0, video_prompt_rate=0.05)}
    for prompt, output in ((text_to_sound, 2), (sound_to_video, 4)):
        tuned = score(client, prompt(guidance=["guidance", 0], steps=8) | tuning, output)
        assert tuned > score(client, prompt(steps=8, guided=False), output)


def test_a_sound_prompt_is_fed_back(comfyui: Server) -> None:
    tuning = {"guidance": guidance(prompt_rate=0.05)}
    first = text_to_sound(guidance=["guidance", 0], variations=2) | tuning
    again = {"first": first["sampler"], "guidance": first["guidance"]}
    plain = score(comfyui.client, text_to_sound(guided=False), 2)
    assert score(comfyui.client, text_to_sound(guided=False, tuned_prompt=["first", 4]) | again, 2) != plain


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
    sound, video = text_to_sound(guided=False, tuned_prompt=["video sampler", 5]), sound_to_video(guided=False)
    with pytest.raises(PromptFailed, match="is for video, but audio is generated"):
        comfyui.client.run({**video, **sound, "video sampler": video["sampler"]})


@pytest.mark.parametrize("prefix, message", [("", "filename_prefix is empty"), ("../up", "must stay inside")])
def test_prompts_are_saved_where_they_are_looked_for(comfyui: Server, prefix: str, message: str) -> None:
    with pytest.raises(PromptFailed, match=message):
        comfyui.client.run(
            text_to_sound(guided=False)
            | {"save": node("SeeingHearingSaveTunedPrompt", tuned_prompt=["sampler", 4], filename_prefix=prefix)}
        )


def choices(client: Client) -> list[str]:
    kind, options = client.object_info()[LOAD]["input"]["required"]["file"]
    return kind if isinstance(kind, list) else options["options"]
