"""A row of the report, and the report as Markdown and JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from aligner.files.atomic import written_whole


@dataclass(frozen=True)
class Row:
    """One measurement.

    check, subject: what was measured, and of what. value: the figure, None where it could not be taken. unit: of value
    and expected. expected: the figure that was counted or asked for, None where there is none. passed: whether the two
    agree, None where nothing is asked. note: why there is no figure.
    """

    check: str
    subject: str
    value: float | None = None
    unit: str = ""
    expected: float | None = None
    passed: bool | None = None
    note: str = ""


def machine(device: torch.device) -> dict[str, str]:
    """What the figures belong to."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "CPU"
    return {"device": name, "torch": torch.__version__, "system": platform.platform()}


def markdown(rows: Sequence[Row], made_on: dict[str, str]) -> str:
    """The report for people."""
    head = ", ".join(f"{key}: {value}" for key, value in made_on.items())
    lines = ["| check | of | measured | expected | verdict |", "|---|---|---|---|---|"]
    for row in rows:
        verdict = {True: "as expected", False: "NOT as expected", None: ""}[row.passed]
        cells = [row.check, row.subject, _figure(row.value, row.unit), _figure(row.expected, row.unit)]
        lines.append(f"| {' | '.join([*cells, ' '.join(filter(None, [verdict, row.note]))])} |")
    return "\n".join([head, "", *lines, ""])


def write(rows: Sequence[Row], made_on: dict[str, str], output: Path) -> tuple[Path, Path]:
    """Write the report beside each other as .md and .json. Returns both paths."""
    document = {"machine": made_on, "rows": [asdict(row) for row in rows]}
    texts = {".md": markdown(rows, made_on), ".json": json.dumps(document, indent=2) + "\n"}
    paths = [output.with_suffix(suffix) for suffix in texts]
    for path, text in zip(paths, texts.values()):
        with written_whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths[0], paths[1]


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}".strip()
