"""A prompt that the user cancels ends within two seconds, whatever it is doing, and shows what it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from .client import Event, Prompt
from .prompts import STEERED, condition, gradient, loaders, node, sound_to_video, text_to_sound
from .server import Server

#: Seconds from the cancel to the end of the prompt. Users get half of it; tests share their machine with others.
WITHIN = 4.0


def silence(seconds: float) -> Prompt:
    return {"sound": node("EmptyAudio", duration=seconds, sample_rate=44100, channels=2)}


def encoded(seconds: float) -> Prompt:
    return {**loaders(), **silence(seconds), "condition": condition(audio=["sound", 0]), **kept("condition")}


def kept(what: str) -> Prompt:
    """An output node that needs conditions."""
    return {"keep": node("SeeingHearingSaveConditions", conditions=[what, 0], filename_prefix="kept")}


def latent(seconds: float) -> Prompt:
    return {
        **loaders(),
        **silence(seconds),
        "latent": node("SeeingHearingEncodeSound", audio_generator=["audio_generator", 0], audio=["sound", 0]),
        "keep": node("SaveLatent", samples=["latent", 0], filename_prefix="latent"),
    }


def sampled(**inputs: Any) -> Prompt:
    return text_to_sound(steps=20, **inputs)


#: Long work by name: the prompt, and the number of the node that does it.
LONG: dict[str, tuple[Callable[[], Prompt], str]] = {
    "windows of a long video": (lambda: sound_to_video(frames=1024, width=256, height=256, steps=20), "sampler"),
    "windows of a long sound": (lambda: sampled(seconds=900.0, window_seconds=10.0), "sampler"),
    "a long sound in one piece": (lambda: sampled(seconds=120.0, guided=False), "sampler"),
    "gradients of a sound in one piece": (lambda: sampled(seconds=60.0, **STEERED) | gradient(), "sampler"),
    "a condition of a long sound": (lambda: encoded(1800.0), "condition"),
    "a latent of a long sound": (lambda: latent(1800.0), "latent"),
}


@pytest.mark.parametrize("delay", [1.0, 4.0])
@pytest.mark.parametrize("name", LONG)
def test_long_work_is_cancelled_soon(comfyui: Server, name: str, delay: float) -> None:
    prompt, worker = LONG[name]
    client = comfyui.client
    client.free()
    prompt_id = client.queue(prompt())

    def at_work(event: Event) -> bool:
        return event.type == "executing" and event.prompt_id == prompt_id and event.data["node"] == worker

    client.wait_for(at_work, 120)
    time.sleep(delay)
    begin = time.monotonic()
    client.interrupt()
    entry = client.wait(prompt_id)
    seconds = time.monotonic() - begin
    print(f"{comfyui.comfyui.version}, {name}, after {delay:g} s: {seconds:.2f} s")
    assert "execution_interrupted" in dict(entry["status"]["messages"]), entry["status"]
    assert seconds < WITHIN


@pytest.mark.parametrize("name", [name for name in LONG if "in one piece" not in name])
def test_long_work_shows_how_far_it_is(comfyui: Server, name: str) -> None:
    """The windows of a sampler show within its first step."""
    prompt, worker = LONG[name]
    client = comfyui.client
    client.free()
    prompt_id = client.queue(prompt())

    def under_way(event: Event) -> bool:
        if event.type != "progress" or event.prompt_id != prompt_id or event.data["node"] != worker:
            return False
        return 0 < event.data["value"] < (1 if worker == "sampler" else event.data["max"])

    client.wait_for(under_way, 120)
    client.interrupt()
    client.wait(prompt_id)
