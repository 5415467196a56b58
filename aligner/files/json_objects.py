"""JSON from files of others."""

from __future__ import annotations

import json
from typing import Any


def json_value(text: str) -> Any:
    """Parse JSON. Raises ValueError if the text is none, or is nested too deeply to be one of a model's."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("its JSON is nested too deeply") from error


def json_object(text: str) -> dict:
    """Parse a JSON object. Raises ValueError as `json_value` does, and for another kind of value."""
    content = json_value(text)
    if not isinstance(content, dict):
        raise ValueError("it should hold a JSON object")
    return content
