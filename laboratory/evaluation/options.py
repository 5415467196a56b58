"""The options that all measurements share."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path


def shared_options(choices: Mapping[str, Iterable[str]]) -> argparse.ArgumentParser:
    """A parser to be the parent of another one. choices: for each option, the names that it takes."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--split", default="test", choices=("development", "test"), help="(default: %(default)s)")
    parser.add_argument(
        "--samples", type=_samples, default=64, metavar="N", help="samples per cell (default: %(default)s)"
    )
    for name, names in choices.items():
        parser.add_argument(f"--{name}", nargs="+", choices=names, default=tuple(names), help="(default: all of them)")
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
