"""Measures the demo models, then guidance: `python -m aligner.demo.evaluate`. Hours on two cores; it can be stopped.

What it measures is what guidance did not optimise. Figures that were optimised stand last and say so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from ..errors import AlignerError
from ..media.atomic import written_whole
from .evaluation.cells import CAPTIONS, METHODS, TASKS, Cell, cells
from .evaluation.gates import failures, gates
from .evaluation.instruments import sound_of, video_of
from .evaluation.runs import Models, demo_models, rows_of
from .evaluation.table import gain, markdown, summary
from .world import clip, scene

#: Real clips that results are compared with: as many of each event.
REAL = 256


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    models = demo_models()
    if options.gates:
        _write(options.output / "gates.json", _gates(models, options))
        return
    table = {cell: _measured(cell, models, options) for cell in cells(options.tasks, options.methods, options.captions)}
    text = markdown(table.items())
    _write(options.output / "table.json", {cell.name: figures for cell, figures in table.items()})
    with written_whole(options.output / "table.md") as partial:
        partial.write_text(text, encoding="utf-8")
    print(text)


def _gates(models: Models, options: argparse.Namespace) -> dict:
    figures = gates(models, options.split, options.samples)
    print(json.dumps(figures, indent=2))
    for failure in failures(figures):
        print(f"NOT HELD: {failure}")
    return figures


def _measured(cell: Cell, models: Models, options: argparse.Namespace) -> dict:
    print(f"{cell.name} ...", flush=True)
    work = options.work / options.split
    rows = rows_of(cell, models, options.split, options.samples, work)
    figures = summary(rows, _real_features(models, TASKS[cell.task].generates[0], options.split))
    if cell.method != "unguided":
        baseline = rows_of(Cell(cell.task, "unguided", cell.caption), models, options.split, options.samples, work)
        figures["gain"] = {name: gain(rows, baseline, name) for name in ("right", "matched")
                           if rows[0][name] is not None}
    return figures


def _real_features(models: Models, stream: str, split: str) -> torch.Tensor:
    """(REAL, 64): the judge's features of real clips of a split, beyond those that results are made for."""
    parts = []
    for first in range(0, REAL, 32):
        clips = [clip(scene(split, 10_000 + first + k)) for k in range(32)]
        signal = (sound_of(torch.stack([each.waveform for each in clips])) if stream == "audio"
                  else video_of(torch.stack([each.frames for each in clips])))
        parts.append(models.instruments.verdict(signal).features)
    return torch.cat(parts)


def _write(path: Path, figures: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m aligner.demo.evaluate", description=__doc__)
    parser.add_argument("--gates", action="store_true", help="measure the models, not guidance")
    parser.add_argument("--split", default="test", choices=("development", "test"), help="(default: %(default)s)")
    parser.add_argument("--samples", type=_samples, default=64, metavar="N", help="of each cell (default: %(default)s)")
    for name, choices in (("tasks", TASKS), ("methods", METHODS), ("captions", CAPTIONS)):
        parser.add_argument(f"--{name}", nargs="+", choices=choices, default=tuple(choices),
                            help="(default: all of them)")
    parser.add_argument("--work", type=Path, default=Path("out/evaluation"), metavar="DIR",
                        help="where single samples are kept; a run goes on from what it finds (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("out/evaluation"), metavar="DIR",
                        help="where the table is written (default: %(default)s)")
    return parser


def _samples(text: str) -> int:
    number = int(text)
    if number < 8:
        raise argparse.ArgumentTypeError("a cell needs at least 8 samples, one of each event")
    return number


if __name__ == "__main__":
    try:
        main()
    except AlignerError as error:
        raise SystemExit(f"aligner: {error}") from error
