"""Where the nodes of a graph stand: columns of groups, with room for what nodes show after a run."""

from __future__ import annotations

from dataclasses import dataclass

from .graph import Graph, Group, Node
from .known import known

#: In the page's pixels. A link needs the gap between columns to turn.
TITLE, ROW, SLOT, LONG_TEXT, PADDING = 30, 24, 20, 62, 20
GAP, NODE_GAP, GROUP_TITLE = 50, 30, 50
#: A line of a note: its height, and the width of a letter.
NOTE_WIDTH, LINE, LETTER = 380, 12, 6.5
WIDTH = 280
#: The widths of nodes that hold less, or more.
WIDTHS = {
    "CLIPTextEncode": 270,
    "KSampler": 260,
    "VAEDecode": 170,
    "VAEDecodeAudio": 170,
    "SeeingHearingAddSound": 250,
    "SeeingHearingAudioSampler": 340,
    "SeeingHearingVideoSampler": 340,
    "SeeingHearingJointSampler": 340,
    "SeeingHearingSteeringReport": 360,
    "SaveVideo": 340,
    "PreviewImage": 340,
}
#: The room for what nodes show: players, pictures and longer prompts.
SHOWN = {
    "LoadVideo": 255,
    "LoadImage": 290,
    "LoadAudio": 60,
    "SaveVideo": 340,
    "SaveImage": 300,
    "PreviewImage": 230,
    "PreviewAudio": 80,
    "PreviewAny": 110,
    "SeeingHearingAudioSampler": 150,
    "SeeingHearingVideoSampler": 120,
    "SeeingHearingSteeringReport": 320,
}


@dataclass(frozen=True)
class Box:
    """A rectangle on the canvas; of a node, below its title bar."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Layout:
    """The boxes of a graph's nodes by name, of its groups by title, and of its note."""

    nodes: dict[str, Box]
    groups: dict[str, Box]
    note: Box


def layout(graph: Graph) -> Layout:
    """Place a graph: its columns from left to right, and its note."""
    nodes: dict[str, Box] = {}
    groups: dict[str, Box] = {}
    bottoms: list[int] = []
    x, edges = 0, []
    for column in graph.columns:
        width, y = max(_width(node) for group in column for node in group.nodes), 0
        for group in column:
            y += group.lower
            placed = _stack(group, x, y + GROUP_TITLE + TITLE, width)
            nodes |= placed
            bottom = max(box.y + box.height for box in placed.values())
            groups[group.title] = Box(x - PADDING, y, width + 2 * PADDING, bottom + PADDING - y)
            y = bottom + PADDING + NODE_GAP
        edges.append((x, x + width))
        bottoms.append(y)
        x += width + GAP
    return Layout(nodes, groups, _note(graph, edges, bottoms))


def _stack(group: Group, x: int, y: int, width: int) -> dict[str, Box]:
    placed = {}
    for node in group.nodes:
        placed[node.name] = Box(x, y, width, height(node))
        y += placed[node.name].height + NODE_GAP + TITLE
    return placed


def _width(node: Node) -> int:
    return WIDTHS.get(known(node.kind).kind, WIDTH)


def height(node: Node) -> int:
    """The height of a node below its title bar, with what it shows."""
    own = known(node.kind)
    rows = max(sum(not each.is_widget for each in own.inputs), len(own.outputs))
    widgets = [each for each in own.inputs if each.is_widget]
    added = sum(len(own.added(each.name)) for each in widgets)
    lines = sum(LONG_TEXT if each.long else ROW for each in widgets) + ROW * added
    return SLOT * rows + lines + PADDING + SHOWN.get(own.kind, 0)


def _note(graph: Graph, edges: list[tuple[int, int]], bottoms: list[int]) -> Box:
    """The note at the left, or below the columns that the graph names."""
    if graph.note_below is None:
        return Box(-NOTE_WIDTH - GAP, GROUP_TITLE + TITLE, NOTE_WIDTH, _note_height(graph.note, NOTE_WIDTH))
    first, last = graph.note_below
    left, width = edges[first][0] - PADDING, edges[last][1] - edges[first][0] + 2 * PADDING
    return Box(left, max(bottoms[first : last + 1]) + TITLE, width, _note_height(graph.note, width))


def _note_height(text: str, width: int) -> int:
    letters = (width - 30) / LETTER
    return 40 + LINE * sum(1 + int(len(paragraph) / letters) for paragraph in text.split("\n"))
