"""The graphs in a real ComfyUI: what they suppose of its nodes is true."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from laboratory.graphs.graph import Node, Subgraph
from laboratory.graphs.known import FILE, described
from laboratory.graphs.subgraphs import SUBGRAPHS
from laboratory.graphs.templates import TEMPLATES

from .server import Server

#: Core nodes that older versions of ComfyUI lack.
NEWER = {"LTXVAudioVAELoader", "LTXAVTextEncoderLoader", "LTXVEmptyLatentAudio", "LTXVConcatAVLatent"}
NEWER |= {"LTXVSeparateAVLatent", "LTXVAudioVAEDecode"}
OLDER_VERSION, NEWER_VERSION = "0.3.64", "0.33.0"


def version(kind: str) -> str:
    if kind.startswith("SeeingHearing"):
        return ""
    return NEWER_VERSION if kind in NEWER else OLDER_VERSION


def used() -> list[str]:
    """The kinds of nodes of all graphs and of the subgraphs in them."""
    nodes = [node for graph in TEMPLATES for node in graph.nodes()] + [Node("subgraph", each) for each in SUBGRAPHS]
    return sorted(set(kinds_of(nodes)))


def kinds_of(nodes: Iterable[Node]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node.kind, Subgraph):
            yield from kinds_of(node.kind.nodes)
        else:
            yield node.kind


def test_the_nodes_of_the_graphs_are_as_they_suppose(comfyui: Server, request: pytest.FixtureRequest) -> None:
    """`--write` writes what the graphs suppose.

    Newer versions of core nodes have more inputs and outputs at the end.
    """
    info = comfyui.client.object_info()
    found = {kind: described(info[kind], version(kind)) for kind in used() if kind in info}
    known = json.loads(FILE.read_text(encoding="utf-8"))
    if request.config.getoption("write", default=False):
        own = {kind: each for kind, each in found.items() if each["version"] in ("", comfyui.comfyui.version)}
        known = dict(sorted((known | own).items()))
        FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8", newline="\n")
    assert set(known) >= set(found)
    for kind in found:
        for side in ("inputs", "outputs"):
            supposed, given = known[kind][side], found[kind][side]
            assert supposed == given if kind.startswith("Seeing") else names(supposed) == names(given)[: len(supposed)]


def names(sockets: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in sockets]


def test_no_graph_uses_a_deprecated_node(comfyui: Server) -> None:
    info = comfyui.client.object_info()
    assert not [kind for kind in used() if info.get(kind, {}).get("deprecated")]
