"""Measures Steer Model in a running ComfyUI: `python -m laboratory.evaluate_native`. Can be stopped.

ComfyUI needs this project's nodes. Nothing is downloaded: Load Demo Model brings the models.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import product

from aligner.demo.family import load_demo_imagebind, load_demo_judge
from aligner.errors import AlignerError
from aligner.files.atomic import written_whole

from .evaluation.cells import CAPTIONS
from .evaluation.comfyui import ComfyUI
from .evaluation.instruments import Instruments
from .evaluation.native import NativeCell, native_rows
from .evaluation.native_prompts import AS_COSTLY, METHODS, STEERED, TASKS, UNGUIDED
from .evaluation.options import shared_options
from .evaluation.runs import real_features
from .evaluation.table import GAINS, HEADINGS, TIMING, gain, markdown, summary
from .weights import fingerprint, load_second_imagebind

#: The columns. Pictures have no moments to compare.
COLUMNS = {"right": HEADINGS["right"], **GAINS} | {name: text for name, text in HEADINGS.items() if name not in TIMING}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cells that the arguments select, and write the table."""
    options = _parser().parse_args(arguments)
    comfyui, output = ComfyUI(options.address), options.output / options.split
    instruments = Instruments(load_demo_judge(), load_second_imagebind(), load_demo_imagebind())
    table: dict[NativeCell, dict] = {}
    for task, caption in product(options.tasks, options.captions):
        table |= _measured(task, caption, comfyui, instruments, options)
    figures = {"ComfyUI": comfyui.version, "weights": fingerprint()} | {
        cell.name: figures for cell, figures in table.items()
    }
    text = markdown(table.items(), COLUMNS)
    for name, content in (("native.json", json.dumps(figures, indent=1) + "\n"), ("native.md", text)):
        with written_whole(output / name) as partial:
            partial.write_text(content, encoding="utf-8")
    print(text)


def _measured(
    task: str, caption: str, comfyui: ComfyUI, instruments: Instruments, options: argparse.Namespace
) -> dict[NativeCell, dict]:
    """The figures of every method on the same clips, with its gains over the methods that do not steer."""
    cells = {method: NativeCell(task, method, caption) for method in METHODS}
    rows = {}
    for method, cell in cells.items():
        print(f"{cell.name} ...", flush=True)
        rows[method] = native_rows(cell, comfyui, instruments, options.split, options.samples, options.work)
    real = real_features(instruments.judge, TASKS[task].makes, options.split, options.samples)
    figures = {method: summary(mine, real) for method, mine in rows.items()}
    figures[STEERED] |= {
        "gain": gain(rows[STEERED], rows[UNGUIDED]),
        "gain_at_equal_cost": gain(rows[STEERED], rows[AS_COSTLY]),
    }
    figures[AS_COSTLY]["gain"] = gain(rows[AS_COSTLY], rows[UNGUIDED])
    return {cells[method]: figures[method] for method in METHODS}


def _parser() -> argparse.ArgumentParser:
    shared = shared_options({"tasks": TASKS, "captions": CAPTIONS})
    parser = argparse.ArgumentParser(prog="python -m laboratory.evaluate_native", description=__doc__, parents=[shared])
    parser.add_argument("--address", default="127.0.0.1:8188", help="host and port of ComfyUI (default: %(default)s)")
    return parser


if __name__ == "__main__":
    try:
        main()
    except AlignerError as error:
        raise SystemExit(f"aligner: {error}") from error
