"""A graph as the JSON that ComfyUI's page saves (version 0.4 of its format)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tomllib

from aligner.errors import AlignerError

from .graph import GIVEN, Graph, Node, Subgraph, Wire
from .known import Known, Socket, identity, known
from .layout import Box, height, layout

PACK, CORE = "seeing-and-hearing", "comfy-core"
COLOUR = "#3f789e"
#: The numbers of the nodes that stand for the inputs and outputs of a subgraph.
INPUTS, OUTPUTS = -10, -20


def workflow(graph: Graph) -> dict[str, Any]:
    """The file of a template."""
    places = layout(graph)
    nodes = tuple(graph.nodes())
    links = links_between(nodes)
    written = [_node(number, node, places.nodes[node.name], links) for number, node in enumerate(nodes, 1)]
    written.append(_note(len(nodes) + 1, graph.note, places.note))
    groups = [
        {"id": number, "title": title, "bounding": _list(box), "color": COLOUR, "font_size": 24, "flags": {}}
        for number, (title, box) in enumerate(places.groups.items(), 1)
    ]
    subgraphs = [node.kind for node in nodes if isinstance(node.kind, Subgraph)]
    return _file(f"template {graph.name}", written, links, groups, subgraphs)


def blueprint(subgraph: Subgraph) -> dict[str, Any]:
    """The file of a subgraph for the node library: a graph of one node."""
    node = Node("only", subgraph)
    written = _node(1, node, Box(0, 0, 330, height(node)), [])
    return _file(f"{subgraph.name} (graph)", [written | {"title": subgraph.name}], [], [], [subgraph])


def _file(
    name: str,
    nodes: list[dict[str, Any]],
    links: list[Link],
    groups: list[dict[str, Any]],
    subgraphs: list[Subgraph],
) -> dict[str, Any]:
    defined = {"definitions": {"subgraphs": [_definition(each) for each in subgraphs]}} if subgraphs else {}
    return {
        "id": identity(name),
        "revision": 0,
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": nodes,
        "links": [link.as_list() for link in links],
        "groups": groups,
        **defined,
        "config": {},
        "extra": {},
        "version": 0.4,
    }


@dataclass(frozen=True)
class Link:
    """A link between two nodes: its number, the number and slot of both ends, and its type."""

    number: int
    origin: int
    origin_slot: int
    target: int
    target_slot: int
    type: str

    def as_list(self) -> list[Any]:
        return list(astuple(self))


def links_between(
    nodes: Sequence[Node], given: Sequence[str] = (), outputs: Mapping[str, Wire] | None = None
) -> list[Link]:
    """All wires of nodes, which are numbered from 1. given, outputs: the inputs and outputs of a subgraph."""
    numbers = {node.name: number for number, node in enumerate(nodes, 1)} | {GIVEN: INPUTS}
    slots = {node.name: [each.name for each in known(node.kind).outputs] for node in nodes} | {GIVEN: list(given)}
    types = {node.name: known(node.kind).outputs for node in nodes}
    links: list[Link] = []

    def add(wire: Wire, target: int, slot: int, type: str) -> None:
        origin_slot = slots[wire.node].index(wire.output)
        links.append(Link(len(links) + 1, numbers[wire.node], origin_slot, target, slot, type))

    for node in nodes:
        for slot, socket in enumerate(sockets(node)):
            if isinstance(wire := node.inputs.get(socket.name), Wire):
                add(wire, numbers[node.name], slot, socket.type)
    for slot, wire in enumerate((outputs or {}).values()):
        add(wire, OUTPUTS, slot, types[wire.node][slots[wire.node].index(wire.output)].type)
    return links


def sockets(node: Node) -> list[Socket]:
    """The inputs that a file lists: sockets, and widgets with a wire. Of a subgraph it lists all."""
    return [
        each
        for each in known(node.kind).inputs
        if not each.is_widget or isinstance(node.kind, Subgraph) or isinstance(node.inputs.get(each.name), Wire)
    ]


def _node(number: int, node: Node, box: Box, links: list[Link]) -> dict[str, Any]:
    own = known(node.kind)
    if unknown := set(node.inputs) - {each.name for each in own.inputs}:
        raise AlignerError(f"{node.name} has no input {', '.join(sorted(unknown))}.")
    written = {
        "id": number,
        "type": own.kind,
        "pos": [box.x, box.y],
        "size": [box.width, box.height],
        "flags": {},
        "order": number - 1,
        "mode": 0,
        "inputs": [_input(each, slot, number, links) for slot, each in enumerate(sockets(node))],
        "outputs": [_output(each, slot, number, links) for slot, each in enumerate(own.outputs)],
        "properties": _properties(node, own),
        "widgets_values": values(node, own),
    }
    title = node.title or (node.kind.name if isinstance(node.kind, Subgraph) else "")
    return written | ({"title": title} if title else {})


def values(node: Node, own: Known) -> list[Any]:
    """The values of all widgets in their order."""
    found: list[Any] = []
    for each in own.inputs:
        if each.is_widget:
            given = node.inputs.get(each.name, each.default)
            # The page adds no widgets to a subgraph.
            added = [] if isinstance(node.kind, Subgraph) else own.added(each.name)
            found += [each.default if isinstance(given, Wire) else given, *added]
    return found


def _input(socket: Socket, slot: int, number: int, links: list[Link]) -> dict[str, Any]:
    link = next((each.number for each in links if (each.target, each.target_slot) == (number, slot)), None)
    written = {"name": socket.name, "type": socket.type, "link": link}
    return written | ({"widget": {"name": socket.name}} if socket.is_widget else {})


def _output(socket: Socket, slot: int, number: int, links: list[Link]) -> dict[str, Any]:
    return {"name": socket.name, "type": socket.type, "links": _from(links, number, slot)}


def _from(links: list[Link], number: int, slot: int) -> list[int]:
    return [each.number for each in links if (each.origin, each.origin_slot) == (number, slot)]


def _properties(node: Node, own: Known) -> dict[str, Any]:
    ours = own.version == ""
    found: dict[str, Any] = {"cnr_id": PACK if ours else CORE, "ver": our_version() if ours else own.version}
    if isinstance(node.kind, Subgraph):
        return found | {"proxyWidgets": [["-1", each.name] for each in own.inputs if each.is_widget]}
    found["Node name for S&R"] = node.kind
    if node.models:
        found["models"] = [{"name": each.name, "url": each.url, "directory": each.directory} for each in node.models]
    return found


@cache
def our_version() -> str:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(project)["project"]["version"]


def _definition(subgraph: Subgraph) -> dict[str, Any]:
    """What is in a subgraph. Links are dictionaries here, and both of its edges count as nodes."""
    links = links_between(subgraph.nodes, list(subgraph.inputs), subgraph.outputs)
    state = {"lastGroupId": 0, "lastNodeId": len(subgraph.nodes), "lastLinkId": len(links), "lastRerouteId": 0}
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    own, boxes = known(subgraph), _boxes(subgraph.nodes)
    return {
        "id": own.kind,
        "version": 1,
        "state": state,
        "revision": 0,
        "config": {},
        "name": subgraph.name,
        "inputNode": {"id": INPUTS, "bounding": [-200, 0, 120, 40 + 20 * len(own.inputs)]},
        "outputNode": {"id": OUTPUTS, "bounding": [max(box.x for box in boxes) + 500, 0, 120, 160]},
        "inputs": [_edge(own, "in", each, _from(links, INPUTS, slot)) for slot, each in enumerate(own.inputs)],
        "outputs": [
            _edge(
                own, "out", each, [link.number for link in links if (link.target, link.target_slot) == (OUTPUTS, slot)]
            )
            for slot, each in enumerate(own.outputs)
        ],
        "widgets": [],
        "nodes": [_node(number, node, box, links) for (number, node), box in zip(enumerate(subgraph.nodes, 1), boxes)],
        "groups": [],
        "links": [dict(zip(keys, link.as_list())) for link in links],
        "extra": {},
        "description": subgraph.description,
    }


def _edge(own: Known, side: str, socket: Socket, links: list[int]) -> dict[str, Any]:
    number = identity(f"{own.kind} {side} {socket.name}")
    return {"id": number, "name": socket.name, "type": socket.type, "linkIds": links}


def _boxes(nodes: Sequence[Node]) -> list[Box]:
    """A row of columns with three nodes each, one below the other."""
    boxes: list[Box] = []
    for place, node in enumerate(nodes):
        above = boxes[-1] if place % 3 else None
        y = above.y + above.height + 80 if above else 0
        boxes.append(Box(400 * (place // 3), y, 340, height(node)))
    return boxes


def _note(number: int, text: str, box: Box) -> dict[str, Any]:
    return {
        "id": number,
        "type": "MarkdownNote",
        "pos": [box.x, box.y],
        "size": [box.width, box.height],
        "flags": {},
        "order": number - 1,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {},
        "widgets_values": [text],
    }


def _list(box: Box) -> list[int]:
    return [box.x, box.y, box.width, box.height]
