"""Our workflow files in a real ComfyUI: they open without a missing node and run as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aligner.demo import EXAMPLE_VIDEO
from aligner.media import probe_video, read_audio

from .prompts import WORKFLOWS, workflow_prompt
from .server import Server

pytestmark = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)


def test_workflow_runs_as_it_is(comfyui: Server, workflow: Path) -> None:
    client = comfyui.client
    prompt_id = client.queue(workflow_prompt(comfyui, workflow))
    entry = client.wait(prompt_id, timeout=600)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
    progress = [event.data["value"] for event in client.events_of(prompt_id, "progress")]
    assert progress == sorted(progress) and progress[-1] == 30
    previews = client.events_of(prompt_id, "preview")
    assert len(previews) > 5 and all(event.image[:2] == b"\xff\xd8" for event in previews)  # JPEG
    _check_outputs(comfyui, entry["outputs"])


def test_workflow_knows_every_node_and_input(comfyui: Server, workflow: Path) -> None:
    info = comfyui.client.object_info()
    graph = json.loads(workflow.read_text(encoding="utf-8"))
    for node in graph["nodes"]:
        if node["type"] == "MarkdownNote":
            continue
        known = info[node["type"]]["input"]
        names = {**known.get("required", {}), **known.get("optional", {})}
        assert {socket["name"] for socket in node["inputs"]} <= set(names), node["type"]


def test_workflow_names_where_its_nodes_come_from(workflow: Path) -> None:
    graph = json.loads(workflow.read_text(encoding="utf-8"))
    assert graph["version"] == 0.4
    ours = [node for node in graph["nodes"] if node["type"].startswith("SeeingHearing")]
    assert len(ours) >= 4
    for node in ours:
        assert node["properties"]["cnr_id"] == "seeing-and-hearing"
        assert node["properties"]["Node name for S&R"] == node["type"]


def _check_outputs(server: Server, outputs: dict) -> None:
    """Whatever was written can be read, has the right length, is not silent and not clipped."""
    videos = [image for output in outputs.values() for image in output.get("images", ())
              if image["filename"].endswith(".mp4")]
    sounds = [audio for output in outputs.values() for audio in output.get("audio", ())]
    assert len(videos) + len(sounds) == 1
    for item in videos + sounds:
        file = server.folder / item["type"] / item["subfolder"] / item["filename"]
        waveform, rate = read_audio(file)
        seconds = float(probe_video(EXAMPLE_VIDEO).duration) if videos else 5.0
        assert rate == 16000 and abs(waveform.shape[1] / rate - seconds) <= 1024 / rate
        assert waveform.std() > 1e-3 and waveform.abs().max() < 1.0
        if videos:
            assert probe_video(file).duration == probe_video(EXAMPLE_VIDEO).duration
