"""Our workflow files in a real ComfyUI: the server knows all their nodes and runs them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .. import chromium
from .client import Prompt
from .prompts import WORKFLOWS, workflow_prompt
from .server import Server
from .stand_ins import on_random_model
from .workflows import (
    DOWNLOAD,
    EXPECTED,
    JOINT,
    REAL,
    RUNNABLE,
    Expected,
    bars,
    check_file,
    every_node,
    is_clipped,
    offered_models,
    require_version,
    saved_files,
)

#: Where a browser is, the page runs all of them with few steps (see test_page.py), and one as it is is enough here.
QUEUED = [
    path
    if path.stem == "Video to Sound" or not chromium.find()
    else pytest.param(path, marks=pytest.mark.slow, id=path.stem)
    for path in RUNNABLE
]
#: The length of a subgraph's type.
UUID = 36
#: The page offers downloads from these places only.
OFFERED_FROM = ("https://huggingface.co/", "https://civitai.com/")


def test_every_workflow_is_expected() -> None:
    assert {path.stem for path in (*RUNNABLE, JOINT)} == set(EXPECTED)
    assert all(path.with_suffix(".jpg").is_file() for path in WORKFLOWS)


@pytest.mark.parametrize("workflow", QUEUED, ids=lambda path: path.stem)
def test_workflow_runs_as_it_is(comfyui: Server, workflow: Path) -> None:
    assert_runs(comfyui, workflow_prompt(comfyui, workflow), EXPECTED[workflow.stem])


def test_workflow_of_a_joint_model_runs_on_a_random_one(comfyui: Server) -> None:
    require_version(comfyui, JOINT)
    assert_runs(comfyui, on_random_model(workflow_prompt(comfyui, JOINT)), EXPECTED[JOINT.stem])


def assert_runs(server: Server, prompt: Prompt, expected: Expected) -> None:
    """The prompt reports its progress, shows previews, and saves what is expected."""
    client = server.client
    prompt_id = client.queue(prompt)
    entry = client.wait(prompt_id, timeout=600)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
    steps = [each for each in (expected.rehearsed, expected.steps) if each]
    # Encoding shows its parts on a bar of its own where it takes long.
    progress = [event.data["value"] for event in client.events_of(prompt_id, "progress") if event.data["max"] in steps]
    assert bars(progress) == steps
    previews = client.events_of(prompt_id, "preview")
    assert len(previews) > 5 and all(event.image[:2] == b"\xff\xd8" for event in previews)  # JPEG
    (file,) = saved_files(server, entry["outputs"])
    check_file(file, expected)
    assert expected.seconds is None or not is_clipped(file)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_knows_every_node_and_input(comfyui: Server, workflow: Path) -> None:
    require_version(comfyui, workflow)
    info = comfyui.client.object_info()
    for node in every_node(workflow):
        if node["type"] == "MarkdownNote" or len(node["type"]) == UUID:
            continue
        known = info[node["type"]]["input"]
        names = {**known.get("required", {}), **known.get("optional", {})}
        assert {socket["name"] for socket in node["inputs"]} <= set(names), node["type"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_names_where_its_nodes_come_from(workflow: Path) -> None:
    assert json.loads(workflow.read_text(encoding="utf-8"))["version"] == 0.4
    ours = [node for node in every_node(workflow) if node["type"].startswith("SeeingHearing")]
    assert len(ours) >= 3
    for node in ours:
        assert node["properties"]["cnr_id"] == "seeing-and-hearing"
        assert node["properties"]["Node name for S&R"] == node["type"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_note_says_how_to_get_real_models(workflow: Path) -> None:
    note = note_of(workflow)
    assert "Download Model" in note or workflow == DOWNLOAD
    others = set(re.findall(r"(?:template|open) \*(.+?)\*", note))
    assert others <= {path.stem for path in WORKFLOWS}, "templates that do not exist"


@pytest.mark.parametrize("workflow", [*REAL, JOINT], ids=lambda path: path.stem)
def test_models_that_the_page_offers_are_those_of_the_note(workflow: Path) -> None:
    offered = offered_models(workflow)
    assert "imagebind_huge.pth" in {model["name"] for model in offered}
    for model in offered:
        assert model["url"].startswith(OFFERED_FROM) and model["url"].endswith("/" + model["name"])
        assert f"`{model['name']}` in `models/{model['directory']}`" in note_of(workflow)


def note_of(workflow: Path) -> str:
    (note,) = (node["widgets_values"][0] for node in every_node(workflow) if node["type"] == "MarkdownNote")
    return note
