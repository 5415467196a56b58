"""Graphs and prompts that people have saved go on working: node ids, input and output names and their order are kept.

What a version adds stands at the end and may be left out.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .server import Server

RELEASED = Path(__file__).parent / "released"
#: By node: required and optional inputs, outputs.
NODES = json.loads((RELEASED / "nodes.json").read_text(encoding="utf-8"))
PROMPTS = sorted((RELEASED / "prompts").glob("*.json"))


@pytest.mark.parametrize("name", NODES)
def test_nodes_keep_their_interface(comfyui: Server, name: str) -> None:
    """The page reads the widgets' values from a graph file by their order, and the server wires outputs by number."""
    required, optional, outputs = NODES[name]
    now = comfyui.client.object_info()[name]
    assert list(now["input"].get("required", {})) == required
    assert list(now["input"].get("optional", {}))[: len(optional)] == optional
    assert now["output_name"][: len(outputs)] == outputs


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_saved_prompts_run(comfyui: Server, path: Path) -> None:
    prompt = json.loads(path.read_text(encoding="utf-8"))
    (sampler,) = (node for node in prompt.values() if node["class_type"] == "SeeingHearingGuidedAudioLDMSampler")
    sampler["inputs"]["steps"] = 5  # of 30: the interface is what matters
    assert comfyui.client.run(prompt)


def test_every_node_is_held_to_its_interface(comfyui: Server) -> None:
    ours = {name for name in comfyui.client.object_info() if name.startswith("SeeingHearing")}
    assert ours == set(NODES), "a new node's inputs and outputs belong into released/nodes.json"
