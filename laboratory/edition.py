"""The edition: a digest of the code that shapes a measured sample."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parents[1]
#: What draws, steers, renders and measures. Reading and writing of files and reports do not.
_SHAPING = (
    "aligner/binders",
    "aligner/conditions",
    "aligner/continuation.py",
    "aligner/demo",
    "aligner/generation.py",
    "aligner/generators",
    "aligner/guidance",
    "aligner/metrics",
    "aligner/plan.py",
    "aligner/sampling.py",
    "aligner/settings.py",
    "aligner/synchrony",
    "aligner/tensors",
    "aligner/timing",
    "laboratory/evaluation/cells.py",
    "laboratory/evaluation/coupled.py",
    "laboratory/evaluation/coupled_cells.py",
    "laboratory/evaluation/coupled_rows.py",
    "laboratory/evaluation/instruments.py",
    "laboratory/evaluation/native.py",
    "laboratory/evaluation/native_prompts.py",
    "laboratory/evaluation/runs.py",
    "laboratory/evaluation/timing.py",
    "laboratory/world",
    "nodes/native",
)


@cache
def edition() -> str:
    """16 hexadecimal digits, other ones as soon as that code does something else.

    Words for people do not count: comments, docstrings and the layout of lines.
    """
    files = sorted(
        file for name in _SHAPING for file in ([_ROOT / name] if name.endswith(".py") else (_ROOT / name).rglob("*.py"))
    )
    return digest_of((file.relative_to(_ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files)


def digest_of(sources: Iterable[tuple[str, str]]) -> str:
    """The digest of Python sources by name."""
    digest = hashlib.sha256()
    for name, source in sources:
        digest.update(f"{name}\n{_meaning(source)}\n".encode())
    return digest.hexdigest()[:16]


def _meaning(source: str) -> str:
    """A source without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    # Unlike its dump, the text of a tree does not depend on the version of Python.
    return ast.unparse(tree)
