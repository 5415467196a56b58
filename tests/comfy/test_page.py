"""ComfyUI's page in a browser: templates open and run, results can be played, and shared graphs stay the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from run import ROOT

from .browser import Page
from .client import Prompt
from .prompts import WORKFLOWS, workflow_prompt
from .server import NODE_PACK, Server
from .test_saved_graphs import NODES
from .workflows import (
    EXPECTED,
    JOINT,
    REAL,
    RUNNABLE,
    Expected,
    check_file,
    is_too_old,
    needed_version,
    offered_models,
    require_version,
    saved_files,
)

SCREENSHOTS = ROOT / "out" / "screenshots"
#: The graphs that help pages show.
PICTURES = ROOT / "web" / "docs" / "pictures"
#: Windows of artists, in pixels, and the zoom at which words can be read.
VIEWPORTS, READABLE = ((1920, 1080), (1600, 1000)), 0.65
#: Newer versions of ComfyUI run all templates. Older ones run one of each kind, and show the others in one window.
RUN_IN_ALL = ("Video to Sound", "Sound to Video", "Steer Any Image Model")
#: Templates take a few steps and candidates here, too few for a sound that never clips: test_workflows.py runs one as
#: it is.
QUICK = {"steps": 4, "candidates": 2, "audio_candidates": 2, "video_candidates": 2}
#: Core nodes with outputs that ours take and that none of ours has.
GIVERS = ("LoadAudio", "LoadImage", "LoadVideo")


@pytest.mark.parametrize("workflow", [each for each in WORKFLOWS if each != JOINT], ids=lambda path: path.stem)
def test_template_opens_can_be_read_and_runs(
    comfyui: Server, page: Page, workflow: Path, request: pytest.FixtureRequest
) -> None:
    """`--write` also makes the pictures of help pages anew."""
    graph = json.loads(workflow.read_text(encoding="utf-8"))
    in_short = comfyui.is_oldest and workflow.stem not in RUN_IN_ALL
    if in_short:
        page.open_graph(graph)
    else:
        page.open_template(NODE_PACK, workflow.stem, [node["id"] for node in graph["nodes"]])
    assert page.missing_nodes() == []
    for model in offered_models(workflow):
        page.wait_for_complaint(model["name"])
    if workflow in REAL:
        page.dismiss_complaints()
    assert page.complaints() == []
    for width, height in VIEWPORTS[in_short:]:
        page.show_in(width, height, graph)
        page.dismiss_complaints()
        page.screenshot(SCREENSHOTS / comfyui.comfyui.version / f"{workflow.stem}-{width}.png")
        assert page.zoom() >= READABLE
        assert page.overlapping_nodes() == [] and page.hidden_links() == []
    picture = PICTURES / f"{workflow.stem.lower().replace(' ', '_')}.webp"
    if request.config.getoption("write", default=False) and picture.exists():
        page.picture_of_graph().save(picture, quality=70)
    if workflow in RUNNABLE and not in_short:
        assert_runs(comfyui, page, workflow)


def assert_runs(comfyui: Server, page: Page, workflow: Path) -> None:
    expected = EXPECTED[workflow.stem]
    # The page queues the same prompt as the other tests, and adds defaults of optional inputs.
    queued = page.prompt()
    for key, node in known(workflow_prompt(comfyui, workflow), comfyui).items():
        assert node["inputs"] == {name: queued[key]["inputs"][name] for name in node["inputs"]}, node["class_type"]

    page.hasten(QUICK)
    end = page.run()
    assert end["type"] == "execution_success", end
    outputs = comfyui.client.history(end["prompt_id"])["outputs"]
    (file,) = saved_files(comfyui, outputs)
    check_file(file, expected)
    shown = [
        each
        for node, output in outputs.items()
        if {"images", "audio"} & set(output)
        for each in page.shown_by(int(node))
    ]
    page.screenshot(SCREENSHOTS / comfyui.comfyui.version / f"{workflow.stem}.png")
    assert any(shows(each, expected) for each in shown), shown
    # Previews and players make nodes grow.
    assert page.overlapping_nodes() == []


def shows(shown: dict[str, Any], expected: Expected) -> bool:
    """Whether a player or picture is the workflow's result."""
    if expected.seconds is None:
        return shown["kind"] == "picture" and tuple(shown["size"]) == expected.size
    kind = "video" if expected.frames else "audio"
    return shown["kind"] == kind and abs(shown["duration"] - expected.seconds) < 0.1


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_survives_being_shared(comfyui: Server, page: Page, workflow: Path) -> None:
    require_version(comfyui, workflow)
    page.open_graph(json.loads(workflow.read_text(encoding="utf-8")))
    assert_survives(page, comfyui)


def test_every_node_and_input_survives_being_shared(comfyui: Server, page: Page) -> None:
    """No value is a default one: a lost value would become the default."""
    # Each node twice: some take only the outputs of others of their kind.
    assert page.fill([*NODES, *NODES, *GIVERS]) == [], "inputs that are not wired"
    assert {node["class_type"] for node in page.prompt().values()} == {*NODES, *GIVERS}
    assert_survives(page, comfyui)


def test_template_of_a_joint_model_says_what_is_missing(comfyui: Server, page: Page) -> None:
    """Every version offers the models. One that has not all nodes names the version that has them."""
    graph = json.loads(JOINT.read_text(encoding="utf-8"))
    page.open_template(NODE_PACK, JOINT.stem, [node["id"] for node in graph["nodes"]])
    page.show_in(*VIEWPORTS[0], graph)
    if is_too_old(comfyui, JOINT):
        page.wait_for_complaint(f"Requires ComfyUI {needed_version(JOINT)}")
    else:
        assert page.missing_nodes() == [] and page.overlapping_nodes() == [] and page.hidden_links() == []
        assert page.zoom() >= READABLE
    page.screenshot(SCREENSHOTS / comfyui.comfyui.version / f"{JOINT.stem}.png")
    offered = {model["name"] for model in offered_models(JOINT)}
    assert len(offered) == 3
    for name in offered:
        page.wait_for_complaint(name)


def test_what_is_wrong_before_a_run_is_seen_at_once(comfyui: Server, page: Page) -> None:
    """Nobody has to open details, and no path of a module stands beside the sentence."""
    (path,) = (each for each in WORKFLOWS if each.stem == "Video to Sound")
    graph = json.loads(path.read_text(encoding="utf-8"))
    (sampler,) = (node for node in graph["nodes"] if node["type"] == "SeeingHearingAudioSampler")
    sampler["widgets_values"][-3] = 0.5  # denoise, before window_seconds and guided
    page.open_graph(graph)
    page.start()
    page.wait_for_words("nothing is connected to start from")
    page.screenshot(SCREENSHOTS / comfyui.comfyui.version / "refused.png")
    assert "aligner.errors" not in "\n".join(page.complaints())


def assert_survives(page: Page, comfyui: Server) -> None:
    """The graph stays the same when it is saved and opened, and when it is exported for the API and opened."""
    prompt = known(page.prompt(), comfyui)
    page.reopen()
    assert known(page.prompt(), comfyui) == prompt
    page.open_prompt(prompt)
    assert known(page.prompt(), comfyui) == prompt


def known(prompt: Prompt, comfyui: Server) -> Prompt:
    """A prompt without titles and inputs that only the page has, such as players: the server ignores both."""
    info = comfyui.client.object_info()
    return {
        key: {
            "class_type": node["class_type"],
            "inputs": {
                name: value
                for name, value in node["inputs"].items()
                if any(name in group for group in info[node["class_type"]]["input"].values())
            },
        }
        for key, node in prompt.items()
    }
