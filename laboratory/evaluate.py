"""Measures guidance on the demo models: `python -m laboratory.evaluate`. Takes hours on two cores and can be stopped.

The table holds quantities that guidance does not optimise, and last the one that it optimises.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from aligner.errors import AlignerError
from aligner.files.atomic import written_whole

from .evaluation.cells import CAPTIONS, METHODS, TASKS, Cell, cells
from .evaluation.confirming import REPEATED, alike, first_rows, only_code_differs
from .evaluation.gates import failures, gates
from .evaluation.options import shared_options
from .evaluation.runs import DemoModels, demo_models, real_features, rows_of, settings_of
from .evaluation.sheets import demo_sheet, generation_sheet, results_sheet
from .evaluation.table import gain, markdown, summary
from .training.cards import write_cards


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
    sheets["results_demo.png"] = demo_sheet(models)
    for name, sheet in sheets.items():
        with written_whole(output / name) as partial:
            sheet.save(partial, optimize=True)
        print(f"Wrote {output / name}")


def _tabulate(models: DemoModels, options: argparse.Namespace, output: Path) -> None:
    """Measure the selected cells. The table keeps the cells that were measured before and are still true."""
    path = output / "table.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    table = _still_true(before, models, options)
    for cell in cells(options.tasks, options.methods, options.captions):
        print(f"{cell.name} ...", flush=True)
        older = before.get(cell.name, {})
        if options.confirm and cell.name not in table and _confirmed(older, cell, models, options):
            table[cell.name] = older | {"settings": settings_of(cell, models)}
        else:
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


def _confirmed(older: dict, cell: Cell, models: DemoModels, options: argparse.Namespace) -> bool:
    """Whether the first clips of a cell come out as they did by older code."""
    if not older or not only_code_differs(older, settings_of(cell, models), options.samples):
        return False
    same = alike(first_rows(rows_of(cell, models, options.split, REPEATED)), older["first"])
    print(f"{cell.name}: {'as before' if same else 'measured anew'}", flush=True)
    return same


def _measured(cell: Cell, models: DemoModels, options: argparse.Namespace) -> dict:
    def rows(method: str) -> list[dict]:
        return rows_of(Cell(cell.task, method, cell.caption), models, options.split, options.samples, options.work)

    mine = rows(cell.method)
    real = real_features(models.instruments.judge, TASKS[cell.task].generates[0], options.split, options.samples)
    figures = {"settings": settings_of(cell, models), "first": first_rows(mine)} | summary(mine, real)
    if cell.method != "unguided":
        baseline = rows("unguided")
        figures["gain"] = {
            name: gain(mine, baseline, name) for name in ("right", "matched") if mine[0][name] is not None
        }
    return figures


def _write(path: Path, figures: dict) -> None:
    with written_whole(path) as partial:
        partial.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    shared = shared_options({"tasks": TASKS, "methods": METHODS, "captions": CAPTIONS})
    parser = argparse.ArgumentParser(prog="python -m laboratory.evaluate", description=__doc__, parents=[shared])
    parser.add_argument("--gates", action="store_true", help="measure the models instead of guidance")
    parser.add_argument("--cards", action="store_true", help="with --gates: write the figures into the models' cards")
    parser.add_argument(
        "--confirm",
        action="store_true",
        help="keep cells of older code whose first 8 clips come out as they did, and measure the others anew",
    )
    parser.add_argument("--sheets", action="store_true", help="draw contact sheets instead of measuring")
    return parser


if __name__ == "__main__":
    try:
        main()
    except AlignerError as error:
        raise SystemExit(f"aligner: {error}") from error
