"""An artist's long evening: prompts of every kind, some of them cancelled, with changing models.

-m slow runs a hundred of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from aligner.media import probe_video, read_audio, read_image

from .client import Client, Prompt
from .prompts import (
    EXAMPLE_VIDEO,
    STEERED,
    condition,
    gradient,
    joint,
    loaders,
    node,
    sampler,
    search,
    sound_to_video,
    text_to_sound,
)
from .server import Server

#: The prompt after which the level of memory is taken, and the part of the later prompts that is cancelled.
SETTLED, CANCELLED = 10, 0.25
#: The largest growth from that level.
GROWTH = 1.10


def sound(seed: int) -> Prompt:
    save = node("SaveAudio", audio=["sampler", 0], filename_prefix="soak/sound")
    return text_to_sound(seed=seed, seconds=0.5, steps=4, **STEERED) | gradient() | {"save": save}


def searched_sound(seed: int) -> Prompt:
    long = sampler(seed=seed, seconds=2.5, steps=4, window_seconds=2.0, **STEERED)
    return sound(seed) | search(audio_candidates=2) | {"sampler": long}


def sound_for_a_clip(seed: int) -> Prompt:
    return loaders() | {
        "video": node("LoadVideo", file=EXAMPLE_VIDEO),
        "parts": node("GetVideoComponents", video=["video", 0]),
        "condition": condition(video=["video", 0]),
        "sampler": sampler(seed=seed, steps=3, length="same as video", **STEERED),
        **gradient(),
        "together": node("CreateVideo", images=["parts", 0], audio=["sampler", 0], fps=["parts", 2]),
        "save": node("SaveVideo", video=["together", 0], filename_prefix="soak/clip", format="auto", codec="auto"),
    }


def video(seed: int) -> Prompt:
    prompt = sound_to_video(seed=seed, frames=2, steps=3, **STEERED) | gradient()
    prompt["save"]["inputs"]["filename_prefix"] = "soak/frames"
    return prompt


def both(seed: int) -> Prompt:
    save = node("SaveAudio", audio=["sampler", 1], filename_prefix="soak/joint")
    return joint(seed=seed, frames=2, steps=3, audio_steps=3, **STEERED) | gradient() | {"save": save}


KINDS: tuple[Callable[[int], Prompt], ...] = (sound, searched_sound, sound_for_a_clip, video, both)


@pytest.mark.parametrize("prompts", [12, pytest.param(100, marks=pytest.mark.slow)])
def test_many_prompts_leave_the_server_as_it_was(comfyui: Server, random_models: Prompt, prompts: int) -> None:
    client, draw, before = comfyui.client, random.Random(0), len(comfyui.log())
    level, cancelled, finished = 0, 0, 0
    unlucky = draw.sample(range(SETTLED, prompts), round(CANCELLED * (prompts - SETTLED)))
    for number in range(prompts):
        prompt = draw.choice(KINDS)(number)
        if draw.random() < 0.3:
            prompt |= {name: node for name, node in random_models.items() if name in prompt}
        if number in unlucky:
            cancelled += interrupted(client, prompt, after=draw.randint(1, 20))
        else:
            entry = client.wait(client.queue(prompt), timeout=300)
            assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
            finished += 1
        if number == SETTLED:
            level = comfyui.resident_bytes()
    assert cancelled >= 0.5 * len(unlucky)
    assert comfyui.resident_bytes() < GROWTH * level
    files = [path for path in (comfyui.folder / "output" / "soak").rglob("*") if path.is_file()]
    assert len(files) >= finished
    for path in files:
        require_whole(path)
    assert "Traceback" not in comfyui.log()[before:]


def interrupted(client: Client, prompt: Prompt, after: int) -> bool:
    """Queue a prompt of many steps and interrupt it after some of them. Returns whether that was in time."""
    prompt["sampler"]["inputs"]["steps"] = 60
    prompt_id = client.queue(prompt)
    client.wait_for(
        lambda event: (
            event.prompt_id == prompt_id
            and (event.type == "execution_success" or event.type == "progress" and event.data["value"] >= after)
        )
    )
    client.interrupt()
    return client.wait(prompt_id, timeout=300)["status"]["status_str"] != "success"


def require_whole(path: Path) -> None:
    """Read a file from its beginning to its end. Whatever cannot be read is an error."""
    if path.suffix == ".mp4":
        assert len(probe_video(path).frame_times) == 16
        read_audio(path)
    elif path.suffix == ".png":
        assert read_image(path).std() > 0
    else:
        assert path.suffix == ".flac", f"{path} is a partial file"
        waveform, _ = read_audio(path)
        assert waveform.isfinite().all()
