"""What the page knows of the nodes in the graphs: their inputs and outputs, from `nodes.json`.

A test against a real ComfyUI holds the file up to date.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .graph import Subgraph

FILE = Path(__file__).with_name("nodes.json")
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
#: Widgets that the page adds after the widget of this name, by the kind of node or of any: their values.
ADDED = {"seed": ["fixed"], "LoadImage.image": ["image"], "LoadVideo.file": ["image"], "LoadAudio.audio": [None, None]}


@dataclass(frozen=True)
class Socket:
    """An input or output. default: of a widget. long: whether a text has several lines."""

    name: str
    type: str
    default: Any = None
    long: bool = False
    folded: bool = False

    @property
    def is_widget(self) -> bool:
        return set(self.type.split(",")) <= WIDGETS


@dataclass(frozen=True)
class Known:
    """A kind of node. version: the first ComfyUI that has it; "" for ours."""

    kind: str
    version: str
    inputs: tuple[Socket, ...]
    outputs: tuple[Socket, ...]

    def added(self, name: str) -> list[Any]:
        """The values of the widgets that the page adds after one."""
        return ADDED.get(f"{self.kind}.{name}", ADDED.get(name, []))


def known(kind: str | Subgraph) -> Known:
    """What the page knows of a kind of node, or of a subgraph."""
    if isinstance(kind, str):
        return kinds()[kind]
    inside = {node.name: {each.name: each.type for each in known(node.kind).outputs} for node in kind.nodes}
    return Known(
        identity(kind.name),
        "",
        tuple(Socket(name, type, value) for name, (type, value) in kind.inputs.items()),
        tuple(Socket(name, inside[wire.node][wire.output]) for name, wire in kind.outputs.items()),
    )


def identity(name: str) -> str:
    """The number by which files name what people call otherwise."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"seeing-and-hearing/{name}"))


@cache
def kinds() -> dict[str, Known]:
    """All kinds of nodes in the graphs, by name."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        kind: Known(
            kind,
            each["version"],
            tuple(Socket(**socket) for socket in each["inputs"]),
            tuple(Socket(**socket) for socket in each["outputs"]),
        )
        for kind, each in found.items()
    }


def described(info: dict[str, Any], version: str) -> dict[str, Any]:
    """A kind of node for the file. info: what ComfyUI's server says of it."""
    inputs = [
        _socket(name, *spec)
        for group in ("required", "optional")
        for name in info["input_order"].get(group, [])
        for spec in [info["input"][group][name]]
    ]
    outputs = [{"name": name, "type": type} for name, type in zip(info["output_name"], info["output"])]
    return {"version": version, "inputs": inputs, "outputs": outputs}


def _socket(name: str, type: Any, options: dict[str, Any] | None = None) -> dict[str, Any]:
    options = options or {}
    if isinstance(type, list):  # the older form of a combo
        type, options = "COMBO", {"options": type} | options
    socket: dict[str, Any] = {"name": name, "type": type}
    if set(type.split(",")) <= WIDGETS:
        choices = options.get("options") or [None]
        socket["default"] = options.get("default", choices[0] if type == "COMBO" else "" if type == "STRING" else 0)
        socket |= {
            key: True for key in ("long", "folded") if options.get({"long": "multiline", "folded": "advanced"}[key])
        }
    return socket
