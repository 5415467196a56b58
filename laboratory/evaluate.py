"""Measures the demo models, then guidance: `python -m laboratory.evaluate`. Hours on two cores; it can be stopped.

What it measures is what guidance did not optimise. Figures that were optimised stand last and say so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch

from aligner.errors import AlignerError
from aligner.files.atomic import written_whole

from .evaluation.cells import CAPTIONS, METHODS, TASKS, Cell, cells
from .evaluation.gates import failures, gates
from .evaluation.instruments import sound_of, video_of
from .evaluation.runs import Models, demo_models, rows_of, settings_of
from .evaluation.sheets import generation_sheet, results_sheet
from .evaluation.table import gain, markdown, summary
from .training.cards import write_cards
from .world import clip, scene

#: Numbers of the real clips that the Frechet distance compares results with: as many as there are results, because
#: it grows as samples get fewer.
REAL_FROM = 10_000


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    models, output = demo_models(), options.output / options.split
    if options.gates:
        figures = _gates(models, options)
        _write(output / "gates.json", figures)
        if options.cards:
            write_cards(figures)
    elif options.sheets:
        _draw_sheets(models, options.split, output)
    else:
        _tabulate(models, options, output)


def _gates(models: Models, options: argparse.Namespace) -> dict:
    figures = gates(models, options.split, options.samples)
    print(json.dumps(figures, indent=2))
    for failure in failures(figures):
        print(f"NOT HELD: {failure}")
    return figures


def _draw_sheets(models: Models, split: str, output: Path) -> None:
    sheets = {f"generated_{stream}.png": generation_sheet(models, stream, split) for stream in ("audio", "video")}
    sheets |= {f"results_{task}.png": results_sheet(models, task, split) for task in TASKS}
    for name, sheet in sheets.items():
        with written_whole(output / name) as partial:
            sheet.save(partial, optimize=True)
        print(f"Wrote {output / name}")


def _tabulate(models: Models, options: argparse.Namespace, output: Path) -> None:
    """Measure the cells asked for; the table keeps those that were measured before."""
    path = output / "table.json"
    table = _still_true(json.loads(path.read_text(encoding="utf-8")), models, options) if path.exists() else {}
    for cell in cells(options.tasks, options.methods, options.captions):
        print(f"{cell.name} ...", flush=True)
        table[cell.name] = _measured(cell, models, options)
        _write(path, table)
    text = markdown([(cell, table[cell.name]) for cell in cells() if cell.name in table])
    with written_whole(output / "table.md") as partial:
        partial.write_text(text, encoding="utf-8")
    print(text)


def _still_true(table: dict, models: Models, options: argparse.Namespace) -> dict:
    """The cells that these models, settings and as many samples would give again."""
    wanted = {cell.name: settings_of(cell, models) for cell in cells()}
    return {
        name: figures
        for name, figures in table.items()
        if figures["settings"] == wanted.get(name) and figures["samples"] == options.samples
    }


def _measured(cell: Cell, models: Models, options: argparse.Namespace) -> dict:
    def rows(method: str) -> list[dict]:
        return rows_of(Cell(cell.task, method, cell.caption), models, options.split, options.samples, options.work)

    mine = rows(cell.method)
    real = _real_features(models, TASKS[cell.task].generates[0], options.split, options.samples)
    figures = {"settings": settings_of(cell, models)} | summary(mine, real)
    if cell.method != "unguided":
        baseline = rows("unguided")
        figures["gain"] = {
            name: gain(mine, baseline, name) for name in ("right", "matched") if mine[0][name] is not None
        }
    return figures


@cache
def _real_features(models: Models, stream: str, split: str, count: int) -> torch.Tensor:
    """(count, 64): the judge's features of real clips of a split, other ones than results are made for."""
    clips = [clip(scene(split, REAL_FROM + number)) for number in range(count)]
    signal = (
        sound_of(torch.stack([each.waveform for each in clips]))
        if stream == "audio"
        else video_of(torch.stack([each.frames for each in clips]))
    )
    return models.instruments.verdict(signal).features


def _write(path: Path, figures: dict) -> None:
    with written_whole(path) as partial:
        partial.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m laboratory.evaluate", description=__doc__)
    parser.add_argument("--gates", action="store_true", help="measure the models, not guidance")
    parser.add_argument(
        "--cards", action="store_true", help="with --gates: write what was measured into the models' cards"
    )
    parser.add_argument("--sheets", action="store_true", help="draw contact sheets instead")
    parser.add_argument("--split", default="test", choices=("development", "test"), help="(default: %(default)s)")
    parser.add_argument("--samples", type=_samples, default=64, metavar="N", help="of each cell (default: %(default)s)")
    for name, choices in (("tasks", TASKS), ("methods", METHODS), ("captions", CAPTIONS)):
        parser.add_argument(
            f"--{name}", nargs="+", choices=choices, default=tuple(choices), help="(default: all of them)"
        )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("out/evaluation"),
        metavar="DIR",
        help="where single samples are kept; a run goes on from what it finds (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("out/evaluation"),
        metavar="DIR",
        help="where the table is written (default: %(default)s)",
    )
    return parser


def _samples(text: str) -> int:
    if not text.isdigit() or int(text) < 8:
        raise argparse.ArgumentTypeError("a cell needs a whole number of samples, at least 8, one of each event")
    return int(text)


if __name__ == "__main__":
    try:
        main()
    except AlignerError as error:
        raise SystemExit(f"aligner: {error}") from error
