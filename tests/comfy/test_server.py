"""This project inside a real ComfyUI: it loads, prompts run, and the server's messages arrive."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from run import ROOT

from .client import Client, Prompt, PromptFailed, PromptRefused
from .server import Server

NODE_ID = re.compile(r'node_id="(SeeingHearing\w+)"')


def blurred(times: int, width: int = 64) -> Prompt:
    """A prompt of core nodes alone: an image, blurred again and again, then shown."""
    prompt = {
        "0": {
            "class_type": "EmptyImage",
            "inputs": {"width": width, "height": width, "batch_size": 1, "color": 0x4080C0},
        }
    }
    for i in range(1, times + 1):
        prompt[str(i)] = {
            "class_type": "ImageBlur",
            "inputs": {"image": [str(i - 1), 0], "blur_radius": 15, "sigma": 3.0 + i / 100},
        }
    prompt["show"] = {"class_type": "PreviewImage", "inputs": {"images": [str(times), 0]}}
    return prompt


@pytest.fixture
def client(comfyui: Server) -> Client:
    return comfyui.client


def test_server_runs_the_version_that_was_found(comfyui: Server) -> None:
    assert comfyui.client.system_stats()["system"]["comfyui_version"] == comfyui.comfyui.version


def test_every_node_of_ours_is_loaded(comfyui: Server) -> None:
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "nodes").rglob("*.py")]
    written = {name for source in sources for name in NODE_ID.findall(source)}
    loaded = {name for name in comfyui.client.object_info() if name.startswith("SeeingHearing")}
    assert written
    assert loaded == written


def test_prompt_of_core_nodes_runs_and_reports_its_progress(client: Client) -> None:
    prompt_id = client.queue(blurred(3))
    outputs = client.wait(prompt_id)["outputs"]
    assert len(outputs["show"]["images"]) == 1
    executed = [event.data["node"] for event in client.events_of(prompt_id, "executing")]
    assert executed == ["0", "1", "2", "3", "show", None]
    assert client.events_of(prompt_id, "execution_success")


def test_a_wrong_prompt_is_refused_with_the_wrong_node(client: Client) -> None:
    prompt = blurred(1)
    prompt["1"]["inputs"]["blur_radius"] = 0
    with pytest.raises(PromptRefused) as refusal:
        client.queue(prompt)
    assert list(refusal.value.node_errors) == ["1"]


def test_interrupt_ends_the_run_and_the_next_one_works(client: Client) -> None:
    prompt_id = client.queue(blurred(40, width=1024))
    client.wait_for(
        lambda event: (event.type, event.prompt_id) == ("executing", prompt_id) and event.data["node"] == "2"
    )
    client.interrupt()
    messages = dict(client.wait(prompt_id)["status"]["messages"])
    assert "execution_interrupted" in messages
    assert len(client.events_of(prompt_id, "executing")) < 10
    assert client.run(blurred(2, width=32))["show"]["images"]


def test_failure_inside_a_node_is_reported(comfyui: Server, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    prompt = {
        "load": {"class_type": "LoadImage", "inputs": {"image": comfyui.put_input(broken)}},
        "show": {"class_type": "PreviewImage", "inputs": {"images": ["load", 0]}},
    }
    with pytest.raises(PromptFailed, match="LoadImage: cannot identify image file"):
        comfyui.client.run(prompt)
