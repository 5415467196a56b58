"""Our workflow files in a real ComfyUI: the server knows all their nodes and runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from . import browser
from .prompts import WORKFLOWS, workflow_prompt
from .server import Server
from .workflows import EXPECTED, check_file, saved_files

#: Where a browser is, the page runs all of them (see test_page.py), and one is enough here.
QUEUED = [path for path in WORKFLOWS if path.stem == "video_to_audio"] if browser.find() else WORKFLOWS
#: The page offers downloads from these places only.
OFFERED_FROM = ("https://huggingface.co/", "https://civitai.com/")


def test_every_workflow_is_expected() -> None:
    assert [path.stem for path in WORKFLOWS] == sorted(EXPECTED)
    assert all(path.with_suffix(".jpg").is_file() for path in WORKFLOWS)


@pytest.mark.parametrize("workflow", QUEUED, ids=lambda path: path.stem)
def test_workflow_runs_as_it_is(comfyui: Server, workflow: Path) -> None:
    client, expected = comfyui.client, EXPECTED[workflow.stem]
    prompt_id = client.queue(workflow_prompt(comfyui, workflow))
    entry = client.wait(prompt_id, timeout=600)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
    progress = [event.data["value"] for event in client.events_of(prompt_id, "progress")]
    assert progress == sorted(progress) and progress[-1] == expected.steps
    previews = client.events_of(prompt_id, "preview")
    assert len(previews) > 5 and all(event.image[:2] == b"\xff\xd8" for event in previews)  # JPEG
    (file,) = saved_files(comfyui, entry["outputs"])
    check_file(file, expected)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_knows_every_node_and_input(comfyui: Server, workflow: Path) -> None:
    info = comfyui.client.object_info()
    graph = json.loads(workflow.read_text(encoding="utf-8"))
    for node in graph["nodes"]:
        if node["type"] == "MarkdownNote":
            continue
        known = info[node["type"]]["input"]
        names = {**known.get("required", {}), **known.get("optional", {})}
        assert {socket["name"] for socket in node["inputs"]} <= set(names), node["type"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_names_where_its_nodes_come_from(workflow: Path) -> None:
    graph = json.loads(workflow.read_text(encoding="utf-8"))
    assert graph["version"] == 0.4
    ours = [node for node in graph["nodes"] if node["type"].startswith("SeeingHearing")]
    assert len(ours) >= 4
    for node in ours:
        assert node["properties"]["cnr_id"] == "seeing-and-hearing"
        assert node["properties"]["Node name for S&R"] == node["type"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_says_how_to_get_real_models(workflow: Path) -> None:
    """A note names them. Entries of nodes let ComfyUI offer them to people who lack them."""
    graph = json.loads(workflow.read_text(encoding="utf-8"))
    (note,) = (node["widgets_values"][0] for node in graph["nodes"] if node["type"] == "MarkdownNote")
    assert "*Download Model*" in note
    offered = [model for node in graph["nodes"] for model in node["properties"].get("models", ())]
    assert {"name": "imagebind_huge.pth", "directory": "imagebind"}.items() <= offered[0].items()
    for model in offered:
        assert model["url"].startswith(OFFERED_FROM) and model["url"].endswith("/" + model["name"])
        assert f"`models/{model['directory']}`" in note
