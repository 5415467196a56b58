"""Graphs and prompts that people have saved keep working: the interface of every node is frozen.

Node ids, names of inputs and outputs, and their order stay. New inputs are optional and come last.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .server import Server

FROZEN = Path(__file__).parent / "frozen"
#: By node: required inputs, optional inputs, outputs.
NODES = json.loads((FROZEN / "nodes.json").read_text(encoding="utf-8"))
PROMPTS = sorted((FROZEN / "prompts").glob("*.json"))


@pytest.mark.parametrize("name", NODES)
def test_nodes_keep_their_interface(comfyui: Server, name: str) -> None:
    """The page reads the values of widgets from a graph file by their order. The server wires outputs by number."""
    required, optional, outputs = NODES[name]
    now = comfyui.client.object_info()[name]
    assert list(now["input"].get("required", {})) == required
    assert list(now["input"].get("optional", {}))[: len(optional)] == optional
    assert now["output_name"][: len(outputs)] == outputs


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_saved_prompts_run(comfyui: Server, path: Path) -> None:
    prompt = json.loads(path.read_text(encoding="utf-8"))
    (sampler,) = (node for node in prompt.values() if node["class_type"] == "SeeingHearingAudioSampler")
    sampler["inputs"]["steps"] = 5  # of 30: the test is about the interface
    assert comfyui.client.run(prompt)


def test_the_interface_of_every_node_is_frozen(comfyui: Server) -> None:
    ours = {name for name in comfyui.client.object_info() if name.startswith("SeeingHearing")}
    assert ours == set(NODES), "add the inputs and outputs of a new node to frozen/nodes.json"
