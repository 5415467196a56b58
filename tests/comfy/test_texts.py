"""Texts of the nodes in a real ComfyUI: tooltips, labels of the page, and help pages."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from run import ROOT

from .server import NODE_PACK, Server

LABELS = ROOT / "locales" / "en" / "nodeDefs.json"
#: A label of the page in a help page.
QUOTED = re.compile(r"`([^`]+)`")
PICTURE = re.compile(r"!\[.*?\]\((.+?)\)")


def our_nodes(server: Server) -> dict[str, dict[str, Any]]:
    """What the server knows of our nodes, in the order of their ids."""
    return {name: node for name, node in sorted(server.client.object_info().items()) if name.startswith("Seeing")}


def inputs(node: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The options of every input of a node, by name."""
    return {
        name: options
        for group in ("required", "optional")
        for name, (_, options, *_) in node["input"].get(group, {}).items()
    }


def test_nodes_inputs_and_outputs_have_descriptions(comfyui: Server) -> None:
    for name, node in our_nodes(comfyui).items():
        for input_name, options in inputs(node).items():
            assert options.get("tooltip"), f"{name}: {input_name}"
        assert node["description"] and all(node["output_tooltips"])


def test_the_english_labels_are_those_of_the_nodes(comfyui: Server, request: pytest.FixtureRequest) -> None:
    """`--write` writes them. Another test compares the other languages with this file."""
    labels = {name: labels_of(node) for name, node in our_nodes(comfyui).items()}
    if request.config.getoption("write", default=False):
        text = json.dumps(labels, indent=2, ensure_ascii=False)
        LABELS.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    assert json.loads(LABELS.read_text(encoding="utf-8")) == labels


def labels_of(node: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of a node, as files of labels hold it."""
    outputs = zip(node["output_name"], node["output_tooltips"])
    return {
        "display_name": node["display_name"],
        "description": node["description"],
        "inputs": {name: label(name, options["tooltip"]) for name, options in inputs(node).items()},
        "outputs": {str(number): label(*output) for number, output in enumerate(outputs)},
    }


def label(name: str, tooltip: str) -> dict[str, str]:
    return {"name": name.replace("_", " "), "tooltip": tooltip}


def test_every_node_has_a_help_page_with_its_inputs_outputs_and_pictures(comfyui: Server) -> None:
    for name, node in our_nodes(comfyui).items():
        text = comfyui.client.web_file(NODE_PACK, f"docs/{name}.md").decode()
        assert text.startswith(f"# {node['display_name']}\n") and "**Common mistakes**" in text
        labels = {each.replace("_", " ") for each in (*inputs(node), *node["output_name"])}
        assert not labels - set(QUOTED.findall(text)), f"{name}.md lacks inputs or outputs"
        for picture in PICTURE.findall(text):
            assert comfyui.client.web_file(NODE_PACK, f"docs/{picture}")[8:12] == b"WEBP"
