"""The summary of a batch: a table of all results, and a page that shows them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...errors import MediaError
from ...files.atomic import written_whole
from ...media import read_audio, to_mono
from ...pictures import spectrogram
from ..result_folder import kind_of
from .record import MADE, Record
from .worker import OVERVIEWS

TABLE, PAGE, SPECTROGRAMS = "summary.csv", "index.html", "spectrograms"
#: The page before the results are in it: they take the place of a comment.
_TEMPLATE, _PLACE = Path(__file__).with_name("page.html"), "/*RESULTS*/"
#: In pixels, of a spectrogram on the page.
_SIZE = (480, 96)


def write_summary(folder: Path, records: Sequence[Record]) -> None:
    """Write the table and the page of these results into their folder."""
    _write_table(folder / TABLE, records)
    for record in records:
        if record.status == MADE:
            _draw_spectrogram(folder, record)
    shown = json.dumps([_shown(folder, record) for record in records], ensure_ascii=False)
    # "<" begins no element within a script.
    page = _TEMPLATE.read_text(encoding="utf-8").replace(_PLACE, shown.replace("<", "\\u003c"))
    with written_whole(folder / PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _write_table(path: Path, records: Sequence[Record]) -> None:
    pairs = list(dict.fromkeys(pair for record in records for pair in record.scores))
    timed = list(dict.fromkeys(pair for record in records for pair in record.synchrony))
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ["output", "status", "task", "input", "seed", "seconds", *pairs, *(f"{pair}, in sync" for pair in timed)]
            + ["error"]
        )
        for record in records:
            table.writerow(
                [record.name, record.status, _task(record), _input(record), record.settings.get("seed", "")]
                + [record.seconds or ""]
                + [record.scores.get(pair, "") for pair in pairs]
                + [record.synchrony.get(pair, "") for pair in timed]
                + [record.error]
            )


def _draw_spectrogram(folder: Path, record: Record) -> None:
    """The picture of a result's sound; one that is there and not older stays."""
    source, picture = folder / record.name, _beside(folder, SPECTROGRAMS, record)
    if kind_of(Path(record.name)) == "picture" or (
        picture.exists() and picture.stat().st_mtime >= source.stat().st_mtime
    ):
        return
    try:
        waveform, rate = read_audio(source)
    except MediaError as error:
        # Somebody else changed the result. The others are summarised all the same.
        print(f"No spectrogram of {record.name}: {error}")
        return
    with written_whole(picture) as temporary:
        spectrogram(to_mono(waveform)[0], rate, *_SIZE).quantize(64).save(temporary)


def _shown(folder: Path, record: Record) -> Mapping[str, Any]:
    """What the page knows of a result."""
    pictures = {
        name: quote(path.relative_to(folder).as_posix())
        for name, path in (
            ("spectrogram", _beside(folder, SPECTROGRAMS, record)),
            ("overview", _beside(folder, OVERVIEWS, record)),
        )
        if path.exists()
    }
    timing = {f"{pair}, in sync": value for pair, value in record.synchrony.items()}
    return {
        "name": record.name,
        "file": quote(record.name),
        "kind": kind_of(Path(record.name)),
        "status": record.status,
        "task": _task(record),
        "prompt": record.settings.get("prompt", ""),
        "seed": record.settings.get("seed"),
        "seconds": record.seconds,
        "scores": record.scores | timing,
        "error": record.error,
        **pictures,
    }


def _beside(folder: Path, place: str, record: Record) -> Path:
    return folder / place / f"{record.name}.png"


def _task(record: Record) -> str:
    return record.arguments[0] if record.arguments else ""


def _input(record: Record) -> str:
    """What the result was made for."""
    return next((str(record.settings[name]) for name in ("clip", "picture", "sound") if record.settings.get(name)), "")
