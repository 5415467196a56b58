"""Choices of a node that are gone: a saved graph, a prompt by API or a wire may bring them, also past the page."""

from __future__ import annotations

from ...aligner.errors import AlignerError, listed
from ...aligner.values.naming import named


def known_choice(name: str, value: object, options: list[str]) -> str:
    """The value of a list. Raises AlignerError for what the list does not offer: ComfyUI does not always look."""
    # Names of files have the slashes of the system that saved the graph.
    if not isinstance(value, str) or value.replace("\\", "/") not in {each.replace("\\", "/") for each in options}:
        raise AlignerError(f"{named(value)} is no longer a choice of {name}. Take one of {listed(options)}.")
    return value
