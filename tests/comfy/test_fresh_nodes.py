"""Graphs wired from nothing: fresh nodes with their default values run at once and give the search's result."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from aligner.media import probe_video, read_audio, read_image
from aligner.media.container import opened

from .client import Prompt, PromptFailed, PromptRefused
from .prompts import EXAMPLE_SOUND, EXAMPLE_VIDEO, choices, node, opening_values, shown
from .server import Server

EXAMPLE_PICTURE = "seeing_and_hearing_example.png"
BINDER = ("binder", "SeeingHearingLoadImageBind")
SOUND = ("audio_generator", "SeeingHearingLoadAudioLDM")
VIDEO = ("video_generator", "SeeingHearingLoadAnimateDiff")
#: By task: the loaders, the sampler, what it follows, and the number of its score among the outputs.
TASKS: dict[str, tuple[list[tuple[str, str]], str, dict[str, Any], int]] = {
    "video to sound": ([BINDER, SOUND], "Audio", {"video": node("LoadVideo", file=EXAMPLE_VIDEO)}, 3),
    "picture to sound": ([BINDER, SOUND], "Audio", {"image": node("LoadImage", image=EXAMPLE_PICTURE)}, 3),
    "sound to video": ([BINDER, VIDEO], "Video", {"audio": node("LoadAudio", audio=EXAMPLE_SOUND)}, 4),
    "joint": ([BINDER, SOUND, VIDEO], "Joint", {}, 5),
}
#: The task that takes all its steps, in the newer server. Others take a few.
WHOLE = "video to sound"
#: Save Video copies what it can.
AS_IT_IS = {"filename_prefix": "fresh", "format": "auto", "codec": "auto"}
SECONDS = 150  # 60 on two cores that do nothing else; other tests run beside


def fresh(server: Server, kind: str, **wires: list[Any]) -> dict[str, Any]:
    """A node as the page adds it: widgets have their defaults, lists their first choice."""
    required = server.client.object_info()[kind]["input"]["required"]
    lists = {name for name, (found, *_) in required.items() if found == "COMBO" or isinstance(found, list)}
    first = {name: choices(server, kind, name)[0] for name in lists}
    return node(kind, **first | opening_values(server, kind) | wires)


def wired(server: Server, task: str) -> tuple[Prompt, int]:
    loaders, sampler, followed, score = TASKS[task]
    wires = {name: [name, 0] for name in (*dict(loaders), *followed)}
    made = {"sampler": fresh(server, f"SeeingHearing{sampler}Sampler", **wires)}
    return {**{name: fresh(server, kind) for name, kind in loaders}, **followed, **made}, score


def saved(server: Server, outputs: dict[str, Any]) -> Path:
    (item,) = outputs["save"].get("images") or outputs["save"]["audio"]
    return server.folder / item["type"] / item["subfolder"] / item["filename"]


@pytest.mark.parametrize("task", TASKS)
def test_fresh_nodes_run_at_once_and_give_the_result_of_the_search(comfyui: Server, task: str) -> None:
    prompt, score = wired(comfyui, task)
    if comfyui.is_oldest or task != WHOLE:
        inputs = prompt["sampler"]["inputs"]
        inputs |= {name: 2 for name in ("steps", "audio_steps") if name in inputs}
    if task == "picture to sound":
        prompt["save"] = node("SaveAudio", audio=["sampler", 0], filename_prefix="fresh")
    else:
        number = 2 if task == "joint" else 1
        prompt["save"] = node("SaveVideo", video=["sampler", number], **AS_IT_IS)
    outputs = comfyui.client.run(prompt | shown("sampler", score), timeout=SECONDS)
    assert math.isfinite(float(outputs["shown"]["text"][0]))
    file = saved(comfyui, outputs)
    waveform, _ = read_audio(file)
    assert waveform.std() > 1e-3
    if task != "picture to sound":
        info = probe_video(file)
        assert (info.width, info.height) == ((256, 256) if task == "video to sound" else (64, 64))


def test_the_pictures_of_a_clip_are_copied_when_it_gets_a_sound(comfyui: Server) -> None:
    prompt, _ = wired(comfyui, "video to sound")
    prompt["sampler"]["inputs"] |= {"steps": 4}
    prompt["save"] = node("SaveVideo", video=["sampler", 1], **AS_IT_IS)
    file = saved(comfyui, comfyui.client.run(prompt))
    assert packets(file) == packets(comfyui.folder / "input" / EXAMPLE_VIDEO)


def packets(file: Path) -> list[bytes]:
    with opened(file) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_a_clip_needs_something_that_compares(comfyui: Server) -> None:
    prompt, _ = wired(comfyui, "video to sound")
    del prompt["sampler"]["inputs"]["binder"]
    prompt["save"] = node("SaveVideo", video=["sampler", 1], **AS_IT_IS)
    with pytest.raises(
        PromptRefused, match="video cannot steer without a binder. Connect Load PE-AV or Load ImageBind to binder"
    ):
        comfyui.client.queue(prompt)


def test_frames_of_unknown_rate_are_refused_where_a_picture_is_meant(comfyui: Server) -> None:
    prompt, _ = wired(comfyui, "picture to sound")
    prompt["image"] = node("EmptyImage", width=32, height=32, batch_size=3, color=0)
    with pytest.raises(PromptFailed, match="image takes a single picture here"):
        comfyui.client.run(prompt | shown("sampler", 3))


def test_what_needs_a_clip_does_not_run_without_one(comfyui: Server) -> None:
    prompt, _ = wired(comfyui, "picture to sound")
    prompt["sampler"]["inputs"] |= {"steps": 2, "guided": False}
    prompt["save"] = node("SaveVideo", video=["sampler", 1], **AS_IT_IS)
    prompt_id = comfyui.client.queue(prompt)
    comfyui.client.wait(prompt_id)
    (error,) = comfyui.client.events_of(prompt_id, "execution_error")
    assert "There is no clip for the output video" in error.data["exception_message"]


def test_a_picture_is_made_for_a_video_sampler_of_one_frame(comfyui: Server) -> None:
    prompt, _ = wired(comfyui, "sound to video")
    prompt["sampler"]["inputs"] |= {"steps": 4, "frames": 1}
    prompt["save"] = node("SaveImage", images=["sampler", 0], filename_prefix="fresh")
    assert read_image(saved(comfyui, comfyui.client.run(prompt))).shape == (3, 64, 64)
