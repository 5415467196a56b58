"""A graph as a description: nodes with values and wires, in groups, in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wire:
    """A wire from an output of another node. node: its name in the graph. output: the name of the output."""

    node: str
    output: str


@dataclass(frozen=True)
class Model:
    """A file that ComfyUI's page offers to people who lack it. directory: below the models folder."""

    name: str
    directory: str
    url: str


class Node:
    """A node of a graph.

    name: unique in the graph. kind: its class in ComfyUI, or a subgraph. inputs: values of widgets, and wires, by the
    name of the input; other widgets have their defaults. title: above the node in place of the usual one. models: what
    it loads.
    """

    def __init__(
        self, name: str, kind: str | Subgraph, /, *, title: str = "", models: tuple[Model, ...] = (), **inputs: Any
    ):
        self.name, self.kind, self.title, self.models = name, kind, title, models
        self.inputs: Mapping[str, Any] = inputs

    def of(self, output: str) -> Wire:
        """A wire from an output of this node."""
        return Wire(self.name, output)


#: In wires within a subgraph, the node that stands for its inputs.
GIVEN = "given"


def given(name: str) -> Wire:
    """A wire from an input of the subgraph around it."""
    return Wire(GIVEN, name)


@dataclass(frozen=True)
class Subgraph:
    """Several nodes as one.

    name: of the node, and of the file where it has one. description: what the page shows. inputs: sockets first, by
    name: their type, and the value of widgets; None: a socket. nodes: those within. outputs: wires by name.
    """

    name: str
    description: str
    inputs: Mapping[str, tuple[str, Any]]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Wire]


class Group:
    """Nodes one below the other in a frame with a title. lower: free room above it, in pixels."""

    def __init__(self, title: str, *nodes: Node, lower: int = 0):
        self.title, self.nodes, self.lower = title, nodes, lower


@dataclass(frozen=True)
class Graph:
    """A template.

    name: of its file. note: what stands beside the graph, in Markdown. columns: groups from left to right, in each
    column from top to bottom. note_below: the first and the last column above the note; None: it stands at the left.
    """

    name: str
    note: str
    columns: tuple[tuple[Group, ...], ...]
    note_below: tuple[int, int] | None = None

    def nodes(self) -> Iterator[Node]:
        return (node for column in self.columns for group in column for node in group.nodes)
