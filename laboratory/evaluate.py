"""Measures guidance on the demo models: `python -m laboratory.evaluate`. Takes hours on two cores and can be stopped.

The table holds quantities that guidance does not optimise, and last the one that it optimises.
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
from .evaluation.runs import DemoModels, demo_models, rows_of, settings_of
from .evaluation.sheets import generation_sheet, results_sheet
from .evaluation.table import gain, markdown, summary
from .training.cards import write_cards
from .world import clip, scene

#: The number of the first real clip that the Fréchet distance compares results with. There are as many real clips as
#: results, because the distance grows as samples get fewer.
REAL_FROM = 10_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the table, the gates, or draw the contact sheets, as the arguments say."""
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


def _gates(models: DemoModels, options: argparse.Namespace) -> dict:
    figures = gates(models, options.split, options.samples)
    print(json.dumps(figures, indent=2))
    for failure in failures(figures):
        print(f"NOT HELD: {failure}")
    return figures


def _draw_sheets(models: DemoModels, split: str, output: Path) -> None:
    sheets = {f"generated_{stream}.png": generation_sheet(models, stream, split) for stream in ("audio", "video")}
    sheets |= {f"results_{task}.png": results_sheet(models, task, split) for task in TASKS}
    for name, sheet in sheets.items():
        with written_whole(output / name) as partial:
            sheet.save(partial, optimize=True)
        print(f"Wrote {output / name}")


def _tabulate(models: DemoModels, options: argparse.Namespace, output: Path) -> None:
    """Measure the selected cells. The table keeps the cells that were measured before and are still true."""
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


def _still_true(table: dict, models: DemoModels, options: argparse.Namespace) -> dict:
    """The cells that were measured with these models, these settings and this number of samples."""
    wanted = {cell.name: settings_of(cell, models) for cell in cells()}
    return {
        name: figures
        for name, figures in table.items()
        if figures["settings"] == wanted.get(name) and figures["samples"] == options.samples
    }


def _measured(cell: Cell, models: DemoModels, options: argparse.Namespace) -> dict:
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
def _real_features(models: DemoModels, stream: str, split: str, count: int) -> torch.Tensor:
    """The judge's features of real clips of a split, (count, 64). None of these clips steers a result."""
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
    parser.add_argument("--gates", action="store_true", help="measure the models instead of guidance")
    parser.add_argument("--cards", action="store_true", help="with --gates: write the figures into the models' cards")
    parser.add_argument("--sheets", action="store_true", help="draw contact sheets instead of measuring")
    parser.add_argument("--split", default="test", choices=("development", "test"), help="(default: %(default)s)")
    parser.add_argument(
        "--samples", type=_samples, default=64, metavar="N", help="samples per cell (default: %(default)s)"
    )
    for name, choices in (("tasks", TASKS), ("methods", METHODS), ("captions", CAPTIONS)):
        parser.add_argument(
            f"--{name}", nargs="+", choices=choices, default=tuple(choices), help="(default: all of them)"
        )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("out/evaluation"),
        metavar="DIR",
        help="folder of measured samples; a run resumes from what it finds there (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("out/evaluation"),
        metavar="DIR",
        help="folder to write results into (default: %(default)s)",
    )
    return parser


def _samples(text: str) -> int:
    if not text.isdigit() or int(text) < 8:
        raise argparse.ArgumentTypeError("give a whole number of samples, at least 8, so that every event has one")
    return int(text)


if __name__ == "__main__":
    try:
        main()
    except AlignerError as error:
        raise SystemExit(f"aligner: {error}") from error
