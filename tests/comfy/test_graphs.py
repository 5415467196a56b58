"""The graphs in a real ComfyUI: what they suppose of its nodes is true."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from aligner.media import read_audio
from laboratory.graphs.__main__ import files
from laboratory.graphs.graph import Node, Subgraph
from laboratory.graphs.known import FILE, described
from laboratory.graphs.subgraphs import SUBGRAPHS
from laboratory.graphs.templates import TEMPLATES
from run import ROOT

from .browser import Page
from .prompts import EXAMPLE_SOUND, EXAMPLE_VIDEO
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


def test_the_files_of_the_graphs_are_as_described() -> None:
    """`python -m laboratory.graphs` writes them."""
    assert [path.name for path, text in files() if path.read_text(encoding="utf-8") != text] == []
    written = {path for path, _ in files()}
    assert set((ROOT / "workflows").glob("*.json")) | set((ROOT / "subgraphs").glob("*.json")) <= written


#: By subgraph: the core node that gives what it takes, its file, and the name of the input.
TAKEN = {
    "Video to Sound": ("LoadVideo", EXAMPLE_VIDEO, "video"),
    "Picture to Sound": ("LoadImage", "seeing_and_hearing_example.png", "image"),
    "Sound to Video": ("LoadAudio", EXAMPLE_SOUND, "audio"),
    "Video with Sound": (None, None, None),
}


@pytest.mark.parametrize("subgraph", SUBGRAPHS, ids=lambda each: each.name)
def test_a_subgraph_of_the_node_library_runs_a_task(comfyui: Server, page: Page, subgraph: Subgraph) -> None:
    if comfyui.comfyui.version == OLDER_VERSION:
        pytest.skip("this ComfyUI has no subgraphs of packs")
    result = next(iter(subgraph.outputs))
    assert page.add_subgraph(subgraph.name, *TAKEN[subgraph.name], result, steps=2) == list(subgraph.inputs)
    assert page.missing_nodes() == [] and page.complaints() == []
    page.screenshot(ROOT / "out" / "screenshots" / comfyui.comfyui.version / f"subgraph {subgraph.name}.png")
    end = page.run()
    assert end["type"] == "execution_success", end
    (output,) = comfyui.client.history(end["prompt_id"])["outputs"].values()
    (item,) = output.get("images") or output["audio"]
    waveform, _ = read_audio(comfyui.folder / item["type"] / item["subfolder"] / item["filename"])
    assert waveform.std() > 1e-3
