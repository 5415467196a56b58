"""Manifests: a table with a row for each result, or JSON Lines."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ...errors import MediaError, listed
from ..tables import read_table

#: Suffixes of manifests, and those among them that are JSON Lines.
TABLES, JSON_LINES = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson")

#: Columns by which a table is recognised.
COLUMNS = ("task", "input", "output", "prompt", "seed")


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """The rows of a manifest. Columns are named as options are: "negative prompt" is negative-prompt.

    Raises MediaError for what is no manifest.
    """
    if path.suffix.lower() not in TABLES + JSON_LINES:
        raise MediaError(f"{path} is no manifest: give a .csv or .jsonl, or a folder of recordings.")
    rows = _json_lines(path) if path.suffix.lower() in JSON_LINES else read_table(path, COLUMNS)
    if any(None in row for row in rows):
        raise MediaError(f"{path} has a row with more cells than columns. Put text with commas into quotes.")
    for row in rows:
        if twice := [name for name, count in Counter(map(_column, row)).items() if count > 1]:
            raise MediaError(f"{path} has several columns {listed(twice)}. Keep one of each name.")
    rows = [{_column(name): value for name, value in row.items()} for row in rows if any(row.values())]
    if not rows:
        raise MediaError(f"{path} has no rows. Its first line names the columns, such as input,output,prompt.")
    return rows


def _column(name: str) -> str:
    return "-".join(name.strip().lower().replace("_", " ").split())


def _json_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeError) as error:
        raise MediaError(f"{path} cannot be read as text in UTF-8 ({error}).") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise MediaError(f"Line {number} of {path} is no JSON ({error}).") from error
            if not isinstance(row, dict):
                raise MediaError(f'Line {number} of {path} must be an object, such as {{"input": "clip.mp4"}}.')
            rows.append(row)
    return rows
