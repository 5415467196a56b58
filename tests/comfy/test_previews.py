"""Previews while a sampler runs, as the page receives them."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from io import BytesIO

from PIL import Image

from run import ROOT

from .browser import Page
from .client import Client
from .prompts import sound_to_video
from .server import Server

SCREENSHOTS = ROOT / "out" / "screenshots"
#: Steps that take longer than two frames of the preview, on two cores.
SLOW = {"frames": 16, "width": 256, "height": 256, "fps": 12.0, "guided": False}


def pictures_by_step(client: Client, prompt_id: str) -> dict[float, set[bytes]]:
    """The different previews that came while the bar stood at a value."""
    at, seen = 0.0, defaultdict(set)
    for event in client.events:
        if event.prompt_id == prompt_id and event.type == "progress":
            at = event.data["value"]
        elif event.prompt_id == prompt_id and event.type == "preview":
            seen[at].add(event.image)
    return seen


def test_a_clip_moves_between_two_steps_and_stops_with_its_run(comfyui: Server) -> None:
    client = comfyui.client
    prompt_id = client.queue(sound_to_video(**SLOW, steps=3))
    assert client.wait(prompt_id)["status"]["status_str"] == "success"
    previews = client.events_of(prompt_id, "preview")
    assert {event.data["node_id"] for event in previews} == {"sampler"}
    assert all(max(Image.open(BytesIO(event.image)).size) <= 512 for event in previews)
    assert max(map(len, pictures_by_step(client, prompt_id).values())) >= 3
    time.sleep(0.3)
    assert client.events_of(prompt_id, "preview") == previews, "a preview follows the run"


def test_a_cancel_while_a_clip_plays_ends_the_run(comfyui: Server) -> None:
    """ComfyUI tells a cancel once; the player must leave it to the run."""
    client = comfyui.client
    for seed in range(3):
        prompt_id = client.queue(sound_to_video(**SLOW, steps=500, seed=40 + seed))
        client.wait_for(lambda event: event.type == "preview" and event.prompt_id == prompt_id)
        time.sleep(0.2 + 0.04 * seed)
        client.interrupt()
        entry = client.wait(prompt_id, timeout=10)
        assert "execution_interrupted" in dict(entry["status"]["messages"])
        previews = client.events_of(prompt_id, "preview")
        time.sleep(0.3)
        assert client.events_of(prompt_id, "preview") == previews


def test_a_run_of_more_than_a_minute_says_on_its_node_how_long_it_takes(comfyui: Server) -> None:
    client = comfyui.client
    earlier = len(client.events)
    prompt_id = client.queue(sound_to_video(**SLOW, steps=900, seed=50))
    said = client.wait_for(lambda event: event.type == "text", since=earlier)
    assert said.data["node"] == "sampler"
    assert re.fullmatch(r"(about|at least) (\d+ h )?\d+ min( \d+ s)? left", said.data["text"])
    assert f"sampling, {said.data['text']}" in comfyui.log_tail()
    client.interrupt()
    client.wait(prompt_id)
    last = [event for event in client.events if event.type == "text"][-1]
    assert re.fullmatch(r"ended after \d+ s", last.data["text"])


def test_the_page_plays_the_clip_in_its_node(comfyui: Server, page: Page) -> None:
    page.open_prompt(sound_to_video(**SLOW, steps=900, seed=60))
    page.start()
    try:
        pictures = page.previews(seconds=6)
        page.screenshot(SCREENSHOTS / comfyui.comfyui.version / "moving_preview.png")
    finally:
        comfyui.client.interrupt()
    assert len(pictures) > 10, "the picture in the node does not move"
