"""Tables in files, as people and spreadsheets write them."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Collection
from io import StringIO
from pathlib import Path

from ..errors import MediaError, listed

#: What stands between the columns of a table.
SEPARATORS = (",", ";", "\t")


def read_table(path: str | Path, columns: Collection[str]) -> list[dict[str, str]]:
    """The rows of a table with commas, semicolons or tabs, in UTF-8, or in UTF-16 as spreadsheets write it.

    columns: names in its first line, in small letters; so are the names of the rows. The separator is the one that
    finds most of them: cells hold commas and semicolons as well. A cell that its line lacks is "". Raises MediaError
    for a file that cannot be read so, or names a column twice.
    """
    try:
        content = Path(path).read_bytes()
        encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        text = content.decode(encoding)
        readers = [csv.DictReader(StringIO(text, newline=""), delimiter=each, restval="") for each in SEPARATORS]
        heads = [[name.strip().lower() for name in reader.fieldnames or ()] for reader in readers]
        found = [len(set(columns) & set(head)) for head in heads]
        best = found.index(max(found))
        readers[best].fieldnames = heads[best]
        rows = list(readers[best])
    except (OSError, UnicodeError, csv.Error) as error:
        raise MediaError(f"{path} cannot be read as CSV in UTF-8 ({error}).") from error
    twice = {name for name in heads[best] if name and heads[best].count(name) > 1}
    if twice:
        raise MediaError(f"{path} has several columns {listed(sorted(twice))}. Keep one of each name.")
    return rows
