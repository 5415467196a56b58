"""Help pages quote messages as the code has them, and fit a narrow panel."""

from __future__ import annotations

import ast
import re

import pytest

from run import ROOT

PAGES = sorted((ROOT / "web" / "docs").glob("*.md"))
#: A message in a list of common mistakes: *"..."*.
QUOTED = re.compile(r'\*"(.+?)"\*', re.DOTALL)
#: Stands for a value in the text of a message.
VALUE = "\0"
#: The parts of a message between its values.
Message = tuple[str, ...]


@pytest.fixture(scope="module")
def messages() -> set[Message]:
    """Every text in the sources that could be a message."""
    sources = (
        path.read_text(encoding="utf-8") for name in ("aligner", "nodes") for path in (ROOT / name).rglob("*.py")
    )
    texts = (text for source in sources for node in ast.walk(ast.parse(source)) if (text := text_of(node)))
    return {tuple(text.split(VALUE)) for text in texts if " " in text}


def text_of(node: ast.AST) -> str:
    """The text of a string, with VALUE in the place of each value; "" for other nodes."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or VALUE for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_messages_that_a_help_page_quotes_exist(page, messages):
    quoted = [" ".join(quote.split()) for quote in QUOTED.findall(page.read_text(encoding="utf-8"))]
    assert not [quote for quote in quoted if not any(could_contain(message, quote) for message in messages)]


def test_a_message_that_does_not_exist_would_be_found():
    message = ("This latent lasts ", " s, and starts at ", " s.")
    assert could_contain(message, "latent lasts 2 s, and starts") and could_contain(message, "and starts at 3")
    assert not could_contain(message, "latent lasted 2 s") and not could_contain(message, "2 s")


def could_contain(message: Message, quote: str, least: int = 8) -> bool:
    """Whether a quote is a part of the message with some values. `least` letters or more must be the message's own."""
    if any(quote in part for part in message):
        return len(quote) >= least
    for number, part in enumerate(message[:-1]):
        for length in range(min(len(part), len(quote)) + 1):
            if part.endswith(quote[:length]) and _continues(message[number + 1 :], quote[length:], least - length):
                return True
    return False


def _continues(message: Message, quote: str, least: int) -> bool:
    """Whether the rest of a quote is a value and then the beginning of a message."""
    part, *others = message
    for start in range(1, len(quote) + 1):
        rest = quote[start:]
        if part.startswith(rest) and len(rest) >= least:
            return True
        if others and rest.startswith(part) and _continues(tuple(others), rest[len(part) :], least - len(part)):
            return True
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_help_pages_fit_a_narrow_panel(page):
    """Tables and drawings in letters are cut off there."""
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^\|", text, re.MULTILINE) and not re.search("[▶─│└]", text)
