"""Write all graphs: `python -m laboratory.graphs`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .subgraphs import SUBGRAPHS
from .templates import TEMPLATES
from .written import blueprint, workflow

ROOT = Path(__file__).parents[2]


def files() -> Iterator[tuple[Path, str]]:
    """All files with their contents."""
    for graph in TEMPLATES:
        yield ROOT / "workflows" / f"{graph.name}.json", _text(workflow(graph))
    for subgraph in SUBGRAPHS:
        yield ROOT / "subgraphs" / f"{subgraph.name}.json", _text(blueprint(subgraph))


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    for path, text in files():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
