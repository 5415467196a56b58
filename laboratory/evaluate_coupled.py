"""Measures MM-Diffusion and the aligner on its demo model: `python -m laboratory.evaluate_coupled`. Can be stopped.

The table is the last block of the paper's table 1 in miniature, and the zero-shot tasks of MM-Diffusion.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from aligner.errors import AlignerError
from aligner.files.atomic import written_whole

from .evaluation.coupled_cells import TASKS, CoupledCell, coupled_cells
from .evaluation.coupled_rows import coupled_features, coupled_models, coupled_rows, coupled_summary
from .evaluation.options import shared_options
from .evaluation.table import HEADINGS, gain, markdown

LABELS = {"method": "made by"}
COLUMNS = {
    "right": "judge: one event",
    "gain": "points above the first row",
    **{name: HEADINGS[name] for name in ("events", "cosine", "second", "matched", "matched_lead")},
    "frechet_video": "Fréchet, video",
    "frechet_audio": "Fréchet, sound",
    "kernel_video": "kernel distance, video",
    "kernel_audio": "kernel distance, sound",
    **{name: HEADINGS[name] for name in ("seconds", "optimised")},
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the tasks that the arguments select, and write the table."""
    options = _parser().parse_args(arguments)
    table = _measured(options)
    output = options.output / options.split
    figures, text = {cell.name: each for cell, each in table.items()}, markdown(table.items(), COLUMNS, LABELS)
    for name, content in (("coupled.json", json.dumps(figures, indent=1) + "\n"), ("coupled.md", text)):
        with written_whole(output / name) as partial:
            partial.write_text(content, encoding="utf-8")
    print(text)


def _measured(options: argparse.Namespace) -> dict[CoupledCell, dict]:
    """The figures of every row, with its gain over the first row of its task on the same samples."""
    models = coupled_models()
    real = coupled_features(models, options.split, options.samples)
    rows, table = {}, {}
    for cell in coupled_cells(options.tasks):
        print(f"{cell.name} ...", flush=True)
        rows[cell] = coupled_rows(cell, models, options.split, options.samples, options.work)
        table[cell] = coupled_summary(rows[cell], real)
        if cell != cell.baseline:
            table[cell]["gain"] = gain(rows[cell], rows[cell.baseline])
    return table


def _parser() -> argparse.ArgumentParser:
    shared = shared_options({"tasks": TASKS})
    return argparse.ArgumentParser(prog="python -m laboratory.evaluate_coupled", description=__doc__, parents=[shared])


if __name__ == "__main__":
    try:
        main()
    except AlignerError as error:
        raise SystemExit(f"aligner: {error}") from error
