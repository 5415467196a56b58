"""Settings in documents: they are written from `aligner.settings`, so that a number stands in one place.

A document holds a block, which names settings or tuples of them:

    <!-- settings: SEARCH, SEED -->
    <!-- end -->

`python -m laboratory.documents` fills every block. Documents get tables. Help pages get lists, because the page shows
them in a narrow panel.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from aligner import settings
from aligner.cli.options import words
from aligner.errors import AlignerError
from aligner.settings import Setting

ROOT = Path(__file__).parents[1]

_BLOCK = re.compile(r"(<!-- settings: ([\w, ]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_BEGIN = "<!-- settings:"
_HEAD = ("| setting | what it does | range | default |", "|---|---|---|---|")


def filled(text: str, written: Callable[..., str]) -> str:
    """The text of a document with all its blocks filled. written: settings to Markdown.

    Raises AlignerError for a setting that does not exist, and for a block without an end.
    """
    if len(_BLOCK.findall(text)) != text.count(_BEGIN):
        raise AlignerError("A block of settings has no end. Write <!-- end --> on a line after it.")
    return _BLOCK.sub(lambda block: f"{block[1]}\n{written(*named(block[2]))}\n{block[4]}", text)


def named(names: str) -> list[Setting]:
    """The settings of a list of names, "SEARCH, SEED". Raises AlignerError for a name without settings."""
    found: list[Setting] = []
    for name in (part.strip() for part in names.split(",")):
        value = getattr(settings, name, None)
        if isinstance(value, Setting):
            found.append(value)
        elif isinstance(value, tuple):
            found += value
        else:
            raise AlignerError(f"There is no setting {name}. Choose a name from aligner/settings.py.")
    return found


def table(*rows: Setting) -> str:
    """A table in Markdown, a row for each setting."""
    lines = [
        f"| {row.name} | {_escaped(row.description)} | {_escaped(_range(row))} | {_escaped(_default(row))} |"
        for row in rows
    ]
    return "".join(f"{line}\n" for line in (*_HEAD, *lines))


def listing(*rows: Setting) -> str:
    """A list in Markdown, an entry for each setting by the label that the page shows."""
    lines = (
        f"- `{row.name.replace('_', ' ')}`: {row.description} *{_range(row)}; default {_default(row)}*" for row in rows
    )
    return "".join(f"{line}\n" for line in lines)


#: How documents with blocks are written, by a glob pattern below the root.
DOCUMENTS: dict[str, Callable[..., str]] = {"web/docs/*.md": listing, "docs/**/*.md": table}


def _range(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(setting.choices)
    if setting.low is None or setting.high is None:
        return "on, off" if isinstance(setting.default, bool) else "text"
    return f"{words(setting.low)} to {words(setting.high)} {setting.unit}".strip()


def _default(setting: Setting) -> str:
    return "empty" if setting.default == "" else words(setting.default)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def outdated(root: Path = ROOT) -> dict[Path, str]:
    """The documents that differ from the settings, with the text that they should have.

    Raises AlignerError that names the document with a wrong block.
    """
    changed = {}
    for path, written in ((path, written) for glob, written in DOCUMENTS.items() for path in sorted(root.glob(glob))):
        text = path.read_text(encoding="utf-8")
        try:
            if (new := filled(text, written)) != text:
                changed[path] = new
        except AlignerError as error:
            raise AlignerError(f"{path.relative_to(root)}: {error}") from error
    return changed


def main() -> None:
    """Write the settings of all documents."""
    for path, text in outdated().items():
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
